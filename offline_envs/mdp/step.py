"""`Step`: the outcome of one batched step of a learned MDP."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from torch import Tensor


class Step(NamedTuple):
    """One step of `B` imagined episodes; every field is a fresh tensor."""

    next_obs: Tensor  # (B, d)
    reward: Tensor  # (B,), what the agent is given
    terminated: Tensor  # (B,), bool
    raw_reward: Tensor  # (B,), the model's reward before pessimism
    penalty: Tensor  # (B,), what was subtracted from the reward; 0 where the reward was replaced
    exploded: Tensor  # (B,), bool: the prediction was rejected
    halted: Tensor  # (B,), bool: the pair of obs and action was unknown
    disagreement: Tensor  # (B,), of the members about the pair; 0 where nobody asked

    @classmethod
    def concatenate(cls, steps: Iterable[Self], n: int) -> Self:
        """Join the steps of consecutive slices of a batch of `n` rows, holding one of them at a time."""
        whole, start = None, 0
        for step in steps:
            if len(step.reward) == n:
                return step
            whole = whole or cls(*(field.new_empty((n, *field.shape[1:])) for field in step))
            stop = start + len(step.reward)
            for field, part in zip(whole, step, strict=True):
                field[start:stop] = part
            start = stop
        assert whole is not None
        return whole
