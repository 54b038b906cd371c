"""`InTurn`: several changes of a step, one after the other."""

from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.dynamics import Prediction
from offline_envs.mdp import Step, Transform


@dataclass(frozen=True)
class InTurn:
    """Transforms applied in order; each sees the step as the one before left it.

    Attributes:
        transforms: The transforms.
    """

    transforms: tuple[Transform, ...]

    def __call__(
        self, obs: Tensor, action: Tensor, step: Step, prediction: Prediction, generator: torch.Generator
    ) -> Step:
        """Apply all of them."""
        for transform in self.transforms:
            step = transform(obs, action, step, prediction, generator)
        return step

    def infos(self, step: Step) -> dict[str, Tensor]:
        """The entries of all of them."""
        return {name: value for transform in self.transforms for name, value in transform.infos(step).items()}
