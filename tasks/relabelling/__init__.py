"""Datasets with the reward of a task: what it needs, whether the data have it, and the report."""
