"""The real environment behind a dataset: named by the user, or by metadata that are believed in part only."""
