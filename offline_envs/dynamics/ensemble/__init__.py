"""The ensemble of probabilistic networks: layers, forward passes, precision and spectral norm."""
