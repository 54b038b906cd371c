"""Algorithms in `LearnedModel-v0` whose agent, not whose environment, keeps to the data."""
