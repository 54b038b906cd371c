"""A method as a user's package would have it: unknown rows are cut, and their value is looked up beyond."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from offline_envs.dynamics import Prediction
from offline_envs.mdp import Step
from offline_envs.methods import Method


@dataclass(frozen=True)
class CutFar(Method):
    """Cut episodes right of a limit.

    Attributes:
        limit: Largest obs₀ from which an episode continues.
    """

    limit: float = 2.5

    def transform(self, *args: Any, **options: Any) -> "Cut":
        del args, options  # Unused.
        return Cut(self.limit)


@dataclass(frozen=True)
class Cut:
    limit: float

    def __call__(
        self, obs: Tensor, action: Tensor, step: Step, prediction: Prediction, generator: torch.Generator
    ) -> Step:
        assert len(obs) == len(action) == prediction.mean.shape[1]
        far = obs[:, 0] > self.limit
        return step._replace(truncated=step.truncated | far, extras={**step.extras, "far": far})

    def infos(self, step: Step) -> dict[str, Tensor]:
        return {"far": step.extras["far"], "position": step.next_obs}
