"""What is suspicious about a dataset although it can be used."""
