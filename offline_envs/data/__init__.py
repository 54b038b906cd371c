"""Load any dataset as `Transitions`: Minari, D4RL files, arrays, or several concatenated."""

from offline_envs.data.array_source import transitions_from_arrays
from offline_envs.data.concatenation import concatenate
from offline_envs.data.environment import known_environment
from offline_envs.data.health import Finding, data_health
from offline_envs.data.loading import DatasetSource, load_transitions
from offline_envs.data.minari_ids import embedded_ids
from offline_envs.data.sources import SOURCES, Source
from offline_envs.data.transitions import Transitions
from offline_envs.data.validation import check_finite

__all__ = [
    "SOURCES",
    "DatasetSource",
    "Finding",
    "Source",
    "Transitions",
    "check_finite",
    "concatenate",
    "data_health",
    "embedded_ids",
    "known_environment",
    "load_transitions",
    "transitions_from_arrays",
]
