"""How a run is stopped where it can resume exactly, and what it resumes from."""
