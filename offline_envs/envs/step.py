"""`Step`: the outcome of one batched step of a learned MDP."""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Step(NamedTuple):
    """One step of `B` imagined episodes; every field is a fresh tensor."""

    next_obs: Tensor  # (B, d)
    reward: Tensor  # (B,), what the agent is given
    terminated: Tensor  # (B,), bool
    raw_reward: Tensor  # (B,), the model's reward before pessimism
    penalty: Tensor  # (B,), raw_reward − reward where the reward was penalised
    exploded: Tensor  # (B,), bool: the prediction was rejected

    @classmethod
    def concatenate(cls, steps: list[Self]) -> Self:
        """Join the steps of consecutive slices of a batch."""
        return steps[0] if len(steps) == 1 else cls(*map(torch.cat, zip(*steps, strict=True)))
