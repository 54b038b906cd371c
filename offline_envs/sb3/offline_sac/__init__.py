"""Agents that differ from `FastSAC` in what their critics learn."""
