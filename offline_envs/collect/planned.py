"""`PlanningModel` and `ReseededPlanner`: a planner that collects steps, in a collection that resumes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from offline_envs.policies import Predictor
from offline_envs.settings import LARGEST_SEED


@dataclass(frozen=True)
class PlanningModel:
    """What a planner plans in.

    Attributes:
        mdp: A `LearnedMDP` of the environment's observations and actions.
        identity: What identifies it, as JSON values: two with the same identity give the same plans.
    """

    mdp: Any
    identity: Mapping[str, Any]


class ReseededPlanner:
    """A new planner for every episode, with a seed from torch's global generator.

    That generator is part of every checkpoint and a planner's own is not, so an interrupted collection
    resumes with the same plans.

    Args:
        make: Makes the planner from a seed.
    """

    def __init__(self, make: Callable[[int], Predictor]) -> None:
        self._make = make
        self._planner: Any = None

    def predict(self, observation: Any, state: Any = None, *, deterministic: bool) -> tuple[Any, Any]:
        """Plan; an episode begins where there is no state."""
        if state is None:
            self._planner = self._make(int(torch.randint(LARGEST_SEED, ())))
        action, state = self._planner.predict(observation, state, deterministic=deterministic)
        return action, state
