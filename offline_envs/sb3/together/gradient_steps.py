"""`GradientSteps`: the training of a `FastSAC` as work that a group does."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from offline_envs.kernels import rounded_products
from offline_envs.sb3.buffers.mixed_replay_buffer import DRAWN_AHEAD, MixedReplayBuffer
from offline_envs.sb3.fast_sac.fast_sac import FastSAC
from offline_envs.sb3.together.work import Call, Coroutine, Function, Work

KIND = "a gradient step"


class GradientSteps:
    """What `FastSAC.train` does, with each gradient step from rows to averages as one call on the device.

    Args:
        agent: The agent, with a `MixedReplayBuffer`.
    """

    def __init__(self, agent: FastSAC) -> None:
        assert isinstance(agent.replay_buffer, MixedReplayBuffer)  # as those of runs are
        self._agent, self._buffer = agent, agent.replay_buffer
        self._step = agent._step()
        self._functions: dict[tuple[object, ...], Function] = {}
        self._names: list[str] = []
        self._sums: Tensor | None = None

    def take(self, n_steps: int, batch_size: int) -> Coroutine:
        """Take gradient steps, and log the means of the losses; see `FastSAC.train`."""
        agent, taken = self._agent, 0
        agent._begin_updates()
        if self._sums is not None:
            self._sums.zero_()
        try:
            for works in self._works(n_steps, batch_size):
                yield works
                taken += len(works.calls)
        finally:  # also where another run ends all
            self._step.count(taken)
        agent._n_updates += n_steps
        sums = self._sums
        if sums is not None:
            agent._log(dict(zip(self._names, (sums / n_steps).tolist(), strict=True)))

    def _works(self, n_steps: int, batch_size: int) -> Iterator[Work]:
        """The gradient steps, with the numbers of their batches' rows drawn ahead."""
        every = self._agent.target_update_interval
        for first in range(0, n_steps, DRAWN_AHEAD):
            rows = self._buffer.draw(min(DRAWN_AHEAD, n_steps - first), batch_size)
            calls = [
                Call(self._function(index % every == 0, batch_size), (each,))
                for index, each in enumerate(rows, first)
            ]
            yield Work(KIND, calls, (self._step.generator,))

    def _function(self, follows: bool, batch_size: int) -> Function:
        """The call of a step: the same object as long as what it reads on the host is the same."""
        reads = (follows, *self._agent._reads(batch_size))
        return self._functions.setdefault(reads, partial(self._take, follows=follows))

    def _take(self, rows: Tensor, *, follows: bool) -> None:
        """Take one step on a batch of rows, int64 `(B,)`, and add its losses up."""
        agent, step = self._agent, self._step
        with rounded_products(agent.precision):
            losses = step(agent._batch(self._buffer.batch_at(rows)))
        found = torch.stack(list(losses.values()))
        if self._sums is None:
            self._names, self._sums = list(losses), torch.zeros_like(found)
        self._sums += found
        if follows:
            step.follow(agent.tau)
        step.average(agent.actor_ema_decay or 0.0)
