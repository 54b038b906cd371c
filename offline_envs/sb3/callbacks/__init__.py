"""Callbacks: evaluation in the real environment, and RAMBO's adversary."""
