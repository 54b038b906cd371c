"""How unsure an ensemble is: measures, disagreement, thresholds and the detector of unknown pairs."""
