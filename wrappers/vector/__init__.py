"""The same wrappers for vector environments, under the same names."""

from offline_envs.wrappers.vector.halt_on_unknown import HaltOnUnknown
from offline_envs.wrappers.vector.history_observation import HistoryObservation
from offline_envs.wrappers.vector.match_spaces import MatchSpaces
from offline_envs.wrappers.vector.uncertainty_penalty import UncertaintyPenalty

__all__ = ["HaltOnUnknown", "HistoryObservation", "MatchSpaces", "UncertaintyPenalty"]
