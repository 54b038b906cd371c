"""`LearnedMDP`: the one batched model step under every learned environment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from offline_envs.dynamics import DELTA
from offline_envs.kernels import is_traced
from offline_envs.mdp.guard import Guard
from offline_envs.mdp.known.known import Known
from offline_envs.mdp.known.replay import Replay
from offline_envs.mdp.members import Members
from offline_envs.mdp.samplers import EliteSampler, FollowsMember, MeanSampler, Sampler
from offline_envs.mdp.spread import follows_elites
from offline_envs.mdp.step import Step
from offline_envs.mdp.transform import Transform
from offline_envs.tasks import TerminationRule

CPU_CHUNK = 1024
"""Rows a member computes together on a CPU: enough for each thread, few enough to stay near its cache."""

GPU_CHUNK = 65_536
"""Rows computed together elsewhere: enough to fill the device, few enough to bound its memory."""


@dataclass(frozen=True)
class LearnedMDP:
    """A Markov decision process learned from data: obs and action in, a `Step` out.

    It composes a model, a sampler, a termination rule, a guard and what a method does to a step. It has no
    state; randomness comes from the generator that it is given.

    Attributes:
        members: The members that are evaluated at every step; transitions are sampled from the elites.
        termination: When the real task ends, as a function of obs, action and next_obs.
        guard: What ends an episode whose prediction explodes.
        transform: The method's change of a step, or None.
        sampler: How reward and next observation come out of the predictions.
        known: What is known of a step, in place of predictions; or None.
    """

    members: Members
    termination: TerminationRule
    guard: Guard
    transform: Transform | None = None
    sampler: Sampler = field(default_factory=EliteSampler)
    known: Known | None = None

    @property
    def replay(self) -> Replay | None:
        """The recorded series that episodes follow, or None."""
        return None if self.known is None else self.known.replay

    def without_transform(self) -> Self:
        """The same sampled steps unchanged: raw rewards, and no end but the task's own."""
        return replace(self, transform=None)

    def with_means(self) -> Self:
        """The same MDP without noise: every step is the mean of the elites' means."""
        return replace(self, sampler=MeanSampler(self.members.elites))

    def begin(self, n: int, generator: torch.Generator) -> Tensor | None:
        """Draw what each of `n` rows keeps for an episode, for `step`; None if there is nothing to keep."""
        return self.sampler.begin(n, self.members, generator)

    def begin_in(self, elite: Tensor, generator: torch.Generator) -> Tensor | None:
        """What rows keep that follow given elites for an episode, also if a step would draw another one.

        A sampler that follows no elite, like that of MOREC, keeps what it would in any episode.

        Args:
            elite: Position of each row's elite among the elites, int64 `(n,)`.
            generator: Source of randomness.
        """
        return elite if follows_elites(self.sampler) else self.begin(len(elite), generator)

    def step(
        self,
        obs: Tensor,
        action: Tensor,
        generator: torch.Generator,
        kept: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Step:
        """Advance `B` independent episodes by one step.

        The batch is computed in chunks of fixed size, so the working memory does not grow with it. The
        sampler draws its random numbers for the whole batch first, so the chunks change nothing but the last
        bits, which round by the size of a matrix product.

        `torch.compile(fullgraph=True)` and `torch.export` take a step without random numbers, see
        `with_means`. A graph cannot hold the generator of any other step.

        Args:
            obs: Current observations, float32 `(B, d)`.
            action: Actions in the environment's units, float32 `(B, k)`.
            generator: Source of randomness, on the same device.
            kept: What each row keeps for its episode, as `begin` gives it; None where there is nothing.
            rows: Row of the dataset that each episode follows, int64 `(B,)`, where columns are replayed.
        """
        n_rows = obs.shape[0]  # `len` would be a constant of a graph
        drawn = self.sampler.draw(n_rows, self.members, generator, kept)
        # If each member computes only its own rows, a chunk needs that many times the rows.
        n_shares = len(self.members.elites) if self._asks_own else 1
        followed = () if rows is None else (rows,)
        n = len(followed)
        chunks = row_chunks(obs, action, *followed, *drawn, n_shares=n_shares)
        steps = (self._advance(o, a, more[n:], generator, *more[:n]) for o, a, *more in chunks)
        return Step.concatenate(steps, n_rows)

    @property
    def _asks_own(self) -> bool:
        """Whether each row needs the prediction of its own member only."""
        return self.transform is None and self.members.asks_own and isinstance(self.sampler, FollowsMember)

    def _advance(
        self,
        obs: Tensor,
        action: Tensor,
        drawn: Sequence[Tensor],
        generator: torch.Generator,
        rows: Tensor | None = None,
    ) -> Step:
        drawn = tuple(drawn)
        if self.transform is None and isinstance(self.sampler, FollowsMember):
            own = self.members.predict_own(obs, action, self.sampler.member_of(drawn))
            return self.conclude(obs, action, self.sampler.outcome(own, drawn), rows)
        prediction = self.members.predict(obs, action)
        outcome = self.sampler(obs, action, prediction, drawn, generator)
        step = self.conclude(obs, action, outcome, rows)
        if self.transform is None:
            return step
        return self.transform(obs, action, step, prediction, generator)

    def conclude(self, obs: Tensor, action: Tensor, outcome: Tensor, rows: Tensor | None = None) -> Step:
        """The step that an outcome leads to: the guard and the termination rule are applied.

        Args:
            obs: Current observations, `(B, d)`.
            action: Actions, `(B, k)`.
            outcome: Sampled (reward, next_obs − obs), `(B, 1 + d)`; it is overwritten.
            rows: Row of the dataset that each episode follows, int64 `(B,)`, where columns are replayed.
        """
        outcome[:, DELTA] += obs
        if self.known is not None:
            self.known.fill(outcome, obs, action, rows, self.guard.box)
        reward, next_obs, exploded = self.guard(outcome, obs)
        terminated = self.termination(obs, action, next_obs) | exploded
        step = Step.of_model(next_obs, reward, terminated, exploded)
        if self.replay is None or rows is None:
            return step
        return step._replace(truncated=self.replay.ended(rows) & ~terminated)


def row_chunks(*tensors: Tensor, n_shares: int = 1) -> Iterator[tuple[Tensor, ...]]:
    """Split tensors of equally many rows into the slices that are computed together on their device.

    Args:
        tensors: What is split, `(B, ...)` each.
        n_shares: Parts that a CPU computes a slice in.

    A graph, which is for any number of rows, has a single slice.
    """
    if is_traced():
        return iter([tensors])
    size = CPU_CHUNK * n_shares if tensors[0].device.type == "cpu" else GPU_CHUNK
    return zip(*(torch.split(tensor, size) for tensor in tensors), strict=True)
