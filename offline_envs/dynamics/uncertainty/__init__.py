"""Uncertainty of an ensemble: measures, disagreement, thresholds and the detector of unknown pairs."""
