"""Evaluations while a run trains: in the real environment and in the model, and who is told of them."""
