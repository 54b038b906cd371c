"""Offline algorithms as subclasses of `FastSAC`, whose critics have another target or loss."""
