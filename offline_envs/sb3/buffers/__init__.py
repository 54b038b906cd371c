"""Replay buffers that mix a dataset with imagined transitions."""
