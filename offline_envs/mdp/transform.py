"""`Transform`: what a method does to a step of the model."""

from typing import Protocol

import torch
from torch import Tensor

from offline_envs.dynamics import Prediction
from offline_envs.mdp.step import Step


class Transform(Protocol):
    """A pure change of a batch of steps, which sees all that led to them.

    It may replace or penalise rewards, end rows (`terminated`), truncate them for a bootstrapped value
    (`truncated`), and put tensors of its own into `extras`.
    """

    def __call__(
        self, obs: Tensor, action: Tensor, step: Step, prediction: Prediction, generator: torch.Generator
    ) -> Step:
        """Change a step.

        Args:
            obs: Observations before it, float32 `(B, d)`.
            action: Actions in the environment's units, float32 `(B, k)`.
            step: The step, as the model or an earlier transform gave it.
            prediction: What the evaluated members predicted, `(M, B, 1 + d)`.
            generator: Source of randomness, on the same device.
        """

    def infos(self, step: Step) -> dict[str, Tensor]:
        """Entries of `info` besides those of every learned MDP, `(B,)` each, from a step that it changed."""
