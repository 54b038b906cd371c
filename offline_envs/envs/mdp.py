"""`LearnedMDP`: the one batched model step under every learned environment."""

from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.dynamics.prediction import DELTA, Prediction
from offline_envs.envs.evaluated_members import EvaluatedMembers
from offline_envs.envs.guard import Guard
from offline_envs.envs.pessimism import Pessimism
from offline_envs.envs.step import Step
from offline_envs.tasks import TerminationRule

CPU_CHUNK = 1024
"""Rows computed at once on a CPU: enough for each thread, few enough that activations stay near its cache."""

GPU_CHUNK = 65_536
"""Rows computed at once elsewhere: enough to fill the device, few enough to bound its memory."""


@dataclass(frozen=True)
class LearnedMDP:
    """A Markov decision process learned from data: obs and action in, a `Step` out.

    It has no state; randomness comes from the generator it is given. Each row draws its own elite at every
    step and then a sample from that elite's Gaussian, for observation and reward alike (Yu et al. 2020,
    algorithm 2, and its release; "TS1" of Chua et al. 2018).

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

    def step(self, obs: Tensor, action: Tensor, generator: torch.Generator) -> Step:
        """Advance `B` independent episodes by one step.

        The batch is computed in chunks of fixed size, so the working memory does not grow with it. The
        random numbers are drawn for the whole batch first, so the chunks change nothing but the last bits,
        which round by the size of a matrix product.

        Args:
            obs: Current observations, float32 `(B, d)`.
            action: Actions in the environment's units, float32 `(B, k)`.
            generator: Source of randomness, on the same device.
        """
        elites, device = self.ensemble.elites, obs.device
        elite = torch.randint(len(elites), (len(obs),), generator=generator, device=device)
        noise = torch.randn((len(obs), 1 + obs.shape[1]), generator=generator, device=device)
        member = elites.index_select(0, elite)
        size = CPU_CHUNK if device.type == "cpu" else GPU_CHUNK
        if len(obs) <= size:
            return self._advance(obs, action, member, noise)
        rows = [torch.split(tensor, size) for tensor in (obs, action, member, noise)]
        return Step.concatenate((self._advance(*chunk) for chunk in zip(*rows, strict=True)), len(obs))

    def _advance(self, obs: Tensor, action: Tensor, member: Tensor, noise: Tensor) -> Step:
        prediction = self.ensemble.predict(obs, action)
        outcome = sample(prediction, member, noise)
        outcome[:, DELTA] += obs
        reward, next_obs, exploded = self.guard(outcome, obs)
        terminated = self.termination(obs, action, next_obs) | exploded
        step = Step(next_obs, reward, terminated, reward, torch.zeros_like(reward), exploded)
        return step if self.pessimism is None else self.pessimism(step, prediction)


def sample(prediction: Prediction, member: Tensor, noise: Tensor) -> Tensor:
    """Draw (reward, next_obs − obs) of each row from the Gaussian of one member.

    Args:
        prediction: Predictions of N members for B rows.
        member: Index of each row's member, int64 `(B,)`.
        noise: Standard normal numbers, `(B, 1 + d)`.

    Returns:
        μ + σ·noise of the chosen member, `(B, 1 + d)`.
    """
    index = member[:, None].expand_as(noise)[None]
    mean, std = prediction.mean.gather(0, index)[0], prediction.std.gather(0, index)[0]
    return torch.addcmul(mean, std, noise)
