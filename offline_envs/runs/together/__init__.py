"""Runs that learn at the same time in one process."""
