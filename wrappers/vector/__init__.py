"""The same wrappers for vector environments, under the same names."""

from offline_envs.wrappers.vector.uncertainty_penalty import UncertaintyPenalty

__all__ = ["UncertaintyPenalty"]
