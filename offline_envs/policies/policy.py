"""`Policy`: a function from observations to actions; `Predictor`: an object with SB3's `predict`."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import AgentSpaces
from offline_envs.errors import SettingsError


class Policy(Protocol):
    """A function from a batch of observations to a batch of actions; any torch function will do."""

    def __call__(self, obs: Tensor, /) -> Tensor:
        """Choose actions, without gradients.

        Args:
            obs: Observations, float32 `(n, d)`, not to be written to.

        Returns:
            Actions in the environment's units, `(n, k)`, on the same device; discrete ones as one-hot
            numbers.
        """


@runtime_checkable
class Predictor(Protocol):
    """Anything with Stable-Baselines3's `predict`, e.g. an agent, its policy, or a policy of this package."""

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        """Choose an action for one observation `(d,)` or for a batch; the second is a state, see `Acting`."""


class TensorPolicy:
    """Base of policies that compute with tensors: it adds `predict`, so that they act wherever agents do."""

    device: torch.device = torch.device("cpu")
    """Device that `predict` moves observations to."""

    def __call__(self, obs: Tensor, /) -> Tensor:
        """See `Policy`."""
        raise NotImplementedError

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Choose an action for one observation `(d,)` or a batch `(n, d)`; see Stable-Baselines3."""
        del state, episode_start, deterministic  # Unused: a subclass has one way to act.
        obs = torch.as_tensor(np.asarray(observation), dtype=torch.float32, device=self.device)
        with torch.no_grad():
            actions = self(obs if obs.ndim > 1 else obs[None]).cpu().numpy()
        return (actions if obs.ndim > 1 else actions[0]), None


class PredictPolicy:
    """The deterministic actions of a `Predictor`, on tensors of any device.

    Args:
        predictor: The predictor; it is given NumPy arrays.
        spaces: What it sees where that differs from a model's columns.
        deterministic: Whether to ask for deterministic actions, or for samples.
    """

    def __init__(
        self, predictor: Predictor, spaces: AgentSpaces | None = None, *, deterministic: bool = True
    ) -> None:
        self._predictor = predictor
        self._spaces = spaces or AgentSpaces()
        self._deterministic = deterministic

    def __call__(self, obs: Tensor, /) -> Tensor:
        """See `Policy`."""
        seen = self._spaces.agent_obs(obs.cpu())
        arrays = {n: part.numpy() for n, part in seen.items()} if isinstance(seen, dict) else seen.numpy()
        actions, _ = self._predictor.predict(arrays, deterministic=self._deterministic)
        return self._spaces.action_columns(torch.as_tensor(actions, device=obs.device))


def as_policy(source: Any, spaces: AgentSpaces | None = None) -> Policy:
    """A policy from a function of tensors, or from anything with Stable-Baselines3's `predict`.

    Args:
        source: The function, or what predicts.
        spaces: What the latter sees where that differs from a model's columns, see
            `Transitions.agent_spaces`.

    Raises:
        SettingsError: Neither of them.
    """
    # A torch module of Stable-Baselines3 is callable, but its call does not return actions.
    if isinstance(source, Predictor) and not isinstance(source, TensorPolicy):
        return PredictPolicy(source, spaces)
    if callable(source):
        policy: Policy = source
        return policy
    raise SettingsError(
        "A policy must be a function from observations to actions, as tensors, or have predict(observation, "
        f"deterministic=...), got {type(source).__name__}."
    )
