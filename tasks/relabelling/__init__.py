"""Relabelling of datasets for a task: checks of the data, the infos that it needs, and the report."""
