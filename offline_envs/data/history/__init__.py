"""Observations with a history: the last observations, and the actions between them, as one."""
