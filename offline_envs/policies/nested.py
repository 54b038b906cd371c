"""`on_columns`: a predictor of Dict observations, which is given columns."""

from inspect import signature
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Dict

from offline_envs.data import flat_space, nested_obs
from offline_envs.policies.policy import Predictor


class NestedPredictor:
    """Gives a predictor its observations by name, e.g. an agent with a `MultiInputPolicy`.

    Args:
        predictor: The predictor.
        space: The observations that it sees; columns are its parts, sorted by name.
    """

    def __init__(self, predictor: Predictor, space: Dict) -> None:
        self._predictor: Any = predictor
        self._space = Dict(dict(space.spaces))  # sorted
        self.observation_space = flat_space(self._space)
        self.action_space: Any = getattr(predictor, "action_space", None)

    def predict(self, observation: Any, state: Any = None, *, deterministic: bool = True) -> tuple[Any, Any]:
        """Choose an action for one observation `(d,)` or for a batch `(n, d)`; see Stable-Baselines3."""
        columns = torch.as_tensor(np.asarray(observation, dtype=np.float32))
        parts = {name: part.numpy() for name, part in nested_obs(self._space, columns).items()}
        remembered = {"state": state} if "state" in signature(self._predictor.predict).parameters else {}
        found: tuple[Any, Any] = self._predictor.predict(parts, deterministic=deterministic, **remembered)
        return found


def on_columns(predictor: Any) -> Any:
    """A predictor that sees the columns of observations: itself, unless its own space is a Dict.

    Args:
        predictor: Anything with Stable-Baselines3's `predict`.
    """
    space = getattr(predictor, "observation_space", None)
    return NestedPredictor(predictor, space) if isinstance(space, Dict) else predictor
