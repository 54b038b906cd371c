"""`Episodes`: many imagined episodes as tensors, and how they go on."""

import torch
from torch import Tensor

from offline_envs.envs.assembly import Parts
from offline_envs.mdp.infos import reported
from offline_envs.mdp.samplers import DrawnElites
from offline_envs.methods.halt_counter import HaltTally

Outcome = tuple[tuple[Tensor, Tensor, Tensor, Tensor], dict[str, Tensor]]
"""Observations `(n, d)`, rewards, terminations and truncations `(n,)`; and the infos of a step."""


class Episodes:
    """`n` imagined episodes, whose state is tensors on the model's device that are written in place.

    `advance` and `restart` look at no value on the host and keep every tensor where it is, so both can be
    captured as graphs. What they return shares no memory with the state.

    Args:
        n: Number of episodes.
        parts: What their environment is made of.
        max_steps: Steps after which an episode is truncated, or infinity.
        step_infos: Whether a step reports infos.

    Attributes:
        generator: Source of all random numbers.
        obs: Where the episodes are, float32 `(n, d)`.
        elapsed: Steps that they have taken, int64 `(n,)`.
        exploded: Rows whose last prediction was rejected, bool `(n,)`.
        halted: Rows whose last pair was unknown, bool `(n,)`.
        ends: Rows that the next step terminates whatever comes of it, bool `(n,)`.
        total_exploded: Number of rejected predictions in running episodes, int64 scalar.
        halts: Whether unknown pairs end an episode.
        tally: Number of steps, episodes and halts so far, if `halts`.
    """

    def __init__(self, n: int, parts: Parts, *, max_steps: float, step_infos: bool) -> None:
        self._mdp, self._starts, self._halt = parts.mdp, parts.starts, parts.halt
        self._max_steps, self._step_infos = max_steps, step_infos
        device = parts.starts.obs.device
        self.generator = torch.Generator(device)
        self.obs = torch.zeros((n, parts.transitions.obs_dim), device=device)
        self.elapsed = torch.zeros(n, dtype=torch.int64, device=device)
        self._over, self.exploded, self.halted, self.ends = (
            torch.zeros(n, dtype=torch.bool, device=device) for _ in range(4)
        )
        self.total_exploded = torch.zeros((), dtype=torch.int64, device=device)
        self._elites = DrawnElites(parts.mdp, parts.member)
        self.halts, self.tally = parts.halt is not None, HaltTally(n, device)

    def advance(self, actions: Tensor) -> Outcome:
        """Take the next step of every episode, also of those that are over.

        Args:
            actions: Actions, float32 `(n, k)`.
        """
        step = self._mdp.step(self.obs, actions, self.generator, self._elites.elite)
        terminated = step.terminated | self.ends
        self.ends.zero_()
        self.obs.copy_(step.next_obs)
        self.exploded.copy_(step.exploded)
        self.halted.copy_(step.halted)
        self.total_exploded += (step.exploded & ~self._over).sum()
        self.elapsed += 1
        truncated = self.elapsed >= self._max_steps
        self._over |= terminated | truncated
        if self.halts:
            self.tally.count(step.halted, terminated | truncated)
        infos = reported(step, self._halt) if self._step_infos else {}
        return (step.next_obs, step.reward, terminated, truncated), infos

    def restart(self, mask: Tensor, given: Tensor | None = None) -> Tensor:
        """Begin an episode in some rows; the numbers that are drawn do not depend on which.

        Args:
            mask: The rows, bool `(n,)`.
            given: Where they begin, `(n, d)`; None draws it.

        Returns:
            A copy of all observations, `(n, d)`.
        """
        obs = self._starts.draw(len(mask), self.generator) if given is None else given
        self.obs.copy_(torch.where(mask[:, None], obs, self.obs))
        self.elapsed.masked_fill_(mask, 0)
        self._over.masked_fill_(mask, False)
        self._elites.reset(len(mask), self.generator, mask)
        if self.halts:
            self.tally.reset(mask)
        return self.obs.clone()
