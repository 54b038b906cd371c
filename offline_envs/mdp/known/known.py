"""`Known`: outputs of a step that are known, in place of the model's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from offline_envs.dynamics import DELTA, REWARD
from offline_envs.errors import SettingsError
from offline_envs.mdp.known.replay import Replay

StepFunction = Callable[[Any, Any, Any], Any]
"""`function(obs, action, next_obs)` of tensors `(B, d)`, `(B, k)` and `(B, d)`, which it must not change."""


@runtime_checkable
class KnownColumns(Protocol):
    """Observation dimensions that are known together."""

    @property
    def columns(self) -> Sequence[int]:
        """Their numbers, from 0."""

    def __call__(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Any:
        """Their next values, a tensor or array `(B, len(columns))`.

        Args:
            obs: Observations, float32 `(B, d)`.
            action: Actions in the environment's units, float32 `(B, k)`.
            next_obs: Next observations, as far as they are known by then, the others as predicted.
        """


@dataclass(frozen=True)
class Part:
    """Columns of one function, and where they are.

    Attributes:
        columns: Their numbers.
        index: The same, int64 `(c,)`, on the device.
        function: Their next values, a tensor or array `(B, c)`, or `(B,)` for one column.
    """

    columns: tuple[int, ...]
    index: Tensor
    function: StepFunction

    def values(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """The next values, float32 `(B, c)`.

        Raises:
            SettingsError: The function returns something else.
        """
        shape = (len(obs), len(self.columns))
        found = self.function(obs, action, next_obs)
        name = f"known columns {', '.join(map(str, self.columns))}"
        if len(self.columns) == 1 and np.shape(found) == shape[:1]:
            return numbers(name, found, shape[:1], obs.device)[:, None]
        return numbers(name, found, shape, obs.device)


@dataclass(frozen=True)
class Known:
    """What is known of a step, applied before the guard and the termination rule.

    Series come first, then columns by formula in their order, then the reward; each sees what was filled in
    before it.

    Attributes:
        parts: Columns by formula.
        replay: Recorded series, or None.
        reward: The reward function, from (obs, action, next_obs) to `(B,)`, or None.
    """

    parts: tuple[Part, ...] = ()
    replay: Replay | None = None
    reward: StepFunction | None = None

    @property
    def outputs(self) -> tuple[int, ...]:
        """Numbers of the known outputs of (reward, next_obs − obs)."""
        columns = [column for part in self.parts for column in part.columns]
        columns += self.replay.columns if self.replay is not None else ()
        return tuple(sorted([*([REWARD] if self.reward is not None else []), *(1 + c for c in columns)]))

    def fill(
        self,
        outcome: Tensor,
        obs: Tensor,
        action: Tensor,
        rows: Tensor | None,
        box: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        """Replace the known outputs.

        Args:
            outcome: Predicted (reward, next_obs), `(B, 1 + d)`; it is overwritten.
            obs: Current observations, `(B, d)`.
            action: Actions, `(B, k)`.
            rows: Rows of the dataset that the episodes follow, int64 `(B,)`; None if they follow none.
            box: Bounds of an observation, `(d,)` each, to which functions see it clipped, as agents do.

        Raises:
            SettingsError: Series without rows, or a function that returns something else than it should.
        """
        next_obs = outcome[:, DELTA]
        if self.replay is not None:
            if rows is None:
                raise SettingsError(
                    "Replayed columns follow the dataset's episode that a row started from: step an "
                    "environment, or give the bare MDP rows=."
                )
            next_obs.index_copy_(1, self.replay.index, self.replay.values(rows))
        for part in self.parts:
            next_obs.index_copy_(1, part.index, part.values(obs, action, _read(next_obs, box)))
        if self.reward is not None:
            outcome[:, REWARD] = rewards_of(self.reward, obs, action, _read(next_obs, box))


def _read(next_obs: Tensor, box: tuple[Tensor, Tensor] | None) -> Tensor:
    """What a function may read: a copy where autograd needs it again after it was overwritten."""
    if box is not None:
        return next_obs.clamp(*box)
    return next_obs.clone() if next_obs.requires_grad else next_obs


def rewards_of(reward: StepFunction, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Rewards that a function gives to steps, float32 `(B,)`.

    Raises:
        SettingsError: It returns something else.
    """
    return numbers("the reward", reward(obs, action, next_obs), (len(obs),), obs.device)


def numbers(name: str, found: Any, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """What a user's function returned, as a float32 tensor.

    Raises:
        SettingsError: No numbers, or another shape.
    """
    try:
        tensor = torch.as_tensor(found).to(device, torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SettingsError(
            f"The function of {name} must return a tensor or array, got {type(found).__name__}."
        ) from error
    if tensor.shape != shape:
        raise SettingsError(
            f"The function of {name} must return shape {shape}, one entry for each row that it is given, got "
            f"{tuple(tensor.shape)}."
        )
    return tensor
