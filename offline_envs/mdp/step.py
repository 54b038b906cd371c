"""`Step`: the outcome of one batched step of a learned MDP."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor


class Step(NamedTuple):
    """One step of `B` imagined episodes; every tensor is a fresh one."""

    next_obs: Tensor  # (B, d)
    reward: Tensor  # (B,), what the agent is given
    terminated: Tensor  # (B,), bool
    truncated: Tensor  # (B,), bool: a method truncates the episode; the agent bootstraps from next_obs
    raw_reward: Tensor  # (B,), the model's reward before a method changed it
    penalty: Tensor  # (B,), what was subtracted from the reward; 0 where the reward was replaced
    exploded: Tensor  # (B,), bool: the prediction was rejected
    replaced: Tensor  # (B,), bool: the reward is not the model's but a fixed one
    extras: Mapping[str, Tensor]  # (B, ...) each, what a method adds, by the names of its infos

    @classmethod
    def of_model(cls, next_obs: Tensor, reward: Tensor, terminated: Tensor, exploded: Tensor) -> Self:
        """The model's own step, before a method changes it."""
        no = torch.zeros_like(exploded)
        zero = torch.zeros_like(reward)
        return cls(next_obs, reward, terminated, no, reward, zero, exploded, exploded, {})

    @classmethod
    def concatenate(cls, steps: Iterable[Self], n: int) -> Self:
        """Join the steps of consecutive slices of a batch of `n` rows, holding one of them at a time."""
        whole, start = None, 0
        for step in steps:
            if step.reward.shape[0] == n:
                return step
            whole = whole or step._like(n)
            stop = start + len(step.reward)
            for field, part in zip(whole._tensors(), step._tensors(), strict=True):
                field[start:stop] = part
            start = stop
        assert whole is not None
        return whole

    def _like(self, n: int) -> Self:
        """A step of `n` rows with the same fields, not filled yet."""
        *fields, extras = ((name, getattr(self, name)) for name in self._fields)
        empty = {name: field.new_empty((n, *field.shape[1:])) for name, field in fields}
        rest = {name: value.new_empty((n, *value.shape[1:])) for name, value in extras[1].items()}
        return type(self)(**empty, extras=rest)

    def _tensors(self) -> tuple[Tensor, ...]:
        *fields, extras = self
        return (*fields, *extras.values())
