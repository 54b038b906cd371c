"""What the commands share: options that they take, tables that they print, the training of several seeds."""
