"""Tables of named columns as transitions: frames, CSV and Parquet files, and folders of LeRobot."""
