"""`LearnedMDP`: the one batched model step under every learned environment."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.dynamics.prediction import DELTA, Prediction
from offline_envs.mdp.guard import Guard
from offline_envs.mdp.member_selection import EvaluatedMembers
from offline_envs.mdp.pessimism import Pessimism
from offline_envs.mdp.step import Step
from offline_envs.tasks import TerminationRule

CPU_CHUNK = 1024
"""Rows a member computes at once on a CPU: enough for each thread, few enough to stay near its cache."""

GPU_CHUNK = 65_536
"""Rows computed at once elsewhere: enough to fill the device, few enough to bound its memory."""


@dataclass(frozen=True)
class LearnedMDP:
    """A Markov decision process learned from data: obs and action in, a `Step` out.

    It has no state; randomness comes from the generator it is given. Each row draws its own elite, at every
    step ("TS1" of Chua et al. 2018, as in Yu et al. 2020, algorithm 2, and its release) unless the caller
    says which, and then a sample from that elite's Gaussian, for observation and reward alike.

    Attributes:
        ensemble: The members that are evaluated at every step; transitions are drawn from the elites.
        termination: When the real task ends, as a function of obs, action and next_obs.
        guard: What ends an episode whose prediction explodes.
        pessimism: What makes the step more cautious, or None.
    """

    ensemble: EvaluatedMembers
    termination: TerminationRule
    guard: Guard
    pessimism: Pessimism | None = None

    def draw_elites(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw one of the elites for each of `n` rows: its place among them, int64 `(n,)`."""
        elites = self.ensemble.elites
        return torch.randint(len(elites), (n,), generator=generator, device=elites.device)

    def step(
        self, obs: Tensor, action: Tensor, generator: torch.Generator, elite: Tensor | None = None
    ) -> Step:
        """Advance `B` independent episodes by one step.

        The batch is computed in chunks of fixed size, so the working memory does not grow with it. The
        random numbers are drawn for the whole batch first, so the chunks change nothing but the last bits,
        which round by the size of a matrix product.

        Args:
            obs: Current observations, float32 `(B, d)`.
            action: Actions in the environment's units, float32 `(B, k)`.
            generator: Source of randomness, on the same device.
            elite: The elite that each row follows, as `draw_elites` gives it; None draws them anew.
        """
        elite = self.draw_elites(len(obs), generator) if elite is None else elite
        noise = torch.randn((len(obs), 1 + obs.shape[1]), generator=generator, device=obs.device)
        member = self.ensemble.elites.index_select(0, elite)
        # Without pessimism a member computes its own rows alone, so as many more make its share.
        apart = self.pessimism is None and self.ensemble.asks_own
        n_shares = len(self.ensemble.elites) if apart else 1
        chunks = row_chunks(obs, action, member, noise, n_shares=n_shares)
        return Step.concatenate((self._advance(*chunk) for chunk in chunks), len(obs))

    def _advance(self, obs: Tensor, action: Tensor, member: Tensor, noise: Tensor) -> Step:
        if self.pessimism is None:
            return self._outcome(obs, action, self.ensemble.predict_own(obs, action, member), noise)
        prediction = self.ensemble.predict(obs, action)
        return self.pessimism(self._outcome(obs, action, prediction.own(member), noise), prediction)

    def _outcome(self, obs: Tensor, action: Tensor, own: Prediction, noise: Tensor) -> Step:
        """The step that each row's own prediction leads to, `(B, 1 + d)`, before pessimism."""
        outcome = sample(own, noise)
        outcome[:, DELTA] += obs
        reward, next_obs, exploded = self.guard(outcome, obs)
        terminated = self.termination(obs, action, next_obs) | exploded
        return Step(
            next_obs,
            reward,
            terminated,
            raw_reward=reward,
            penalty=torch.zeros_like(reward),
            exploded=exploded,
            halted=torch.zeros_like(exploded),
            disagreement=torch.zeros_like(reward),
        )


def row_chunks(*tensors: Tensor, n_shares: int = 1) -> Iterator[tuple[Tensor, ...]]:
    """Split tensors of as many rows into the slices that are computed at once on their device.

    Args:
        tensors: What is split, `(B, ...)` each.
        n_shares: Parts that a CPU computes a slice in.
    """
    size = CPU_CHUNK * n_shares if tensors[0].device.type == "cpu" else GPU_CHUNK
    return zip(*(torch.split(tensor, size) for tensor in tensors), strict=True)


def sample(own: Prediction, noise: Tensor) -> Tensor:
    """Draw (reward, next_obs − obs) of each row from the Gaussian of its own member.

    Args:
        own: What each row's own member predicts, `(B, 1 + d)` each.
        noise: Standard normal numbers, `(B, 1 + d)`.

    Returns:
        μ + σ·noise, `(B, 1 + d)`.
    """
    return torch.addcmul(own.mean, own.std, noise)
