"""What the commands print on a terminal: tables, and the training of several seeds."""
