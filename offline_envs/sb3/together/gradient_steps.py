"""`GradientSteps`: the training of a `FastSAC` as work that a group does."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from offline_envs.kernels import rounded_products
from offline_envs.sb3.buffers.mixed_replay_buffer import DRAWN_AHEAD, MixedReplayBuffer
from offline_envs.sb3.fast_sac.fast_sac import FastSAC, _seed_after
from offline_envs.sb3.fast_sac.policies import AveragedPolicy
from offline_envs.sb3.fast_sac.sac_step import SACStep
from offline_envs.sb3.together.work import Call, Coroutine, Work

KIND = "a gradient step"


class GradientSteps:
    """What `FastSAC.train` does, with each gradient step from rows to averages as one call on the device.

    Args:
        agent: The agent, with a `MixedReplayBuffer`.
    """

    def __init__(self, agent: FastSAC) -> None:
        assert isinstance(agent.replay_buffer, MixedReplayBuffer)  # as those of runs are
        self._agent, self._buffer = agent, agent.replay_buffer
        self._step: SACStep = agent._make_step(agent._parts())
        self._functions = {follows: partial(self._take, follows=follows) for follows in (False, True)}
        self._names: list[str] = []
        self._sums: Tensor | None = None
        self._real = torch.empty(0, 1, device=agent.device)

    def take(self, n_steps: int, batch_size: int) -> Coroutine:
        """Take gradient steps, and log the means of the losses; see `FastSAC.train`."""
        self._begin(batch_size)
        taken = 0
        try:
            for works in self._works(n_steps, batch_size):
                yield works
                taken += len(works.calls)
        finally:  # also where another run ends all
            self._step.count(taken)
        agent, sums = self._agent, self._sums
        agent._n_updates += n_steps
        if sums is not None:
            agent._log(dict(zip(self._names, (sums / n_steps).tolist(), strict=True)))

    def _begin(self, batch_size: int) -> None:
        agent, step = self._agent, self._step
        agent.policy.set_training_mode(True)
        agent._update_learning_rate(agent._optimizers())
        agent._refresh(step.temperature)
        if agent._n_updates == 0 and isinstance(agent.policy, AveragedPolicy):
            agent.policy.start_average()
        step.generator.manual_seed(_seed_after(agent._n_updates))
        step.gather()
        if len(self._real) != batch_size:
            self._real = torch.empty(batch_size, 1, device=agent.device)
        self._real.copy_(agent._is_real(batch_size))  # in place, where a graph reads it
        agent._real = self._real
        if self._sums is not None:
            self._sums.zero_()

    def _works(self, n_steps: int, batch_size: int) -> Iterator[Work]:
        """The gradient steps, with the numbers of their batches' rows drawn ahead."""
        every = self._agent.target_update_interval
        for first in range(0, n_steps, DRAWN_AHEAD):
            indices = range(first, min(first + DRAWN_AHEAD, n_steps))
            drawn = np.stack([np.concatenate(self._buffer._drawn(batch_size)) for _ in indices])
            rows = torch.from_numpy(drawn).to(self._agent.device)
            calls = [
                Call(self._functions[index % every == 0], (each,))
                for index, each in zip(indices, rows, strict=True)
            ]
            yield Work(KIND, calls, (self._step.generator,))

    def _take(self, rows: Tensor, *, follows: bool) -> None:
        """Take one step on a batch of rows, int64 `(B,)`, and add its losses up."""
        agent, step = self._agent, self._step
        with rounded_products(agent.precision):
            losses = step(agent._batch(self._buffer._batch_of(rows, None)))
        found = torch.stack(list(losses.values()))
        if self._sums is None:
            self._names, self._sums = list(losses), torch.zeros_like(found)
        self._sums += found
        if follows:
            step.follow(agent.tau)
        step.average(agent.actor_ema_decay or 0.0)
