"""Wrappers that make any environment pessimistic, or give it the spaces of another or a history.

Apply penalty and halt to a learned environment directly (inside time limits or statistics wrappers), so that
those record the rewards that the agent is trained on. The registered environments use the same functions. A
penalty and a halt may be applied in either order: a halted step has the reward of a halt, and no penalty.
"""

from offline_envs.data import HistoryObservation
from offline_envs.wrappers import vector
from offline_envs.wrappers.halt_on_unknown import HaltOnUnknown
from offline_envs.wrappers.match_spaces import MatchSpaces
from offline_envs.wrappers.planned_actions import PlannedActions
from offline_envs.wrappers.uncertainty_penalty import UncertaintyPenalty

__all__ = [
    "HaltOnUnknown",
    "HistoryObservation",
    "MatchSpaces",
    "PlannedActions",
    "UncertaintyPenalty",
    "vector",
]
