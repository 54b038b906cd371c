"""Planners that sample candidate plans and evaluate each by particles, one file each."""
