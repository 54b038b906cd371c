"""The fit of an ensemble: rows, losses, gradient steps, checkpoints and progress."""
