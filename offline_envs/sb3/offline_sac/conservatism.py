"""A gradient step of SAC whose critics are lowered at the policy's actions and raised at the data's."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.sb3.fast_sac.sac_step import SACBatch, SACParts, SACStep
from offline_envs.sb3.fast_sac.squashed_gaussian import squashed_sample

RHOS = ("mix", "model")
"""Rows at whose states values are lowered: all, or those of the model."""


class Candidates(NamedTuple):
    """Actions at which values are lowered."""

    action: Tensor
    """In [−1, 1], `(C, B, k)`."""
    log_density: Tensor
    """Of each under the distribution that it was drawn from, `(C, B, 1)`."""


def draw_candidates(heads: Tensor, n: int, generator: torch.Generator) -> Candidates:
    """Draw `n` actions each from the policy at the observations, from that at the next ones, and uniformly.

    Args:
        heads: The actor's outputs at `obs`, then at `next_obs`, `(2B, 2k)`.
        n: Number from each of the three.
        generator: Source of the noise, `(n, 2B, k)`, then of the uniform actions, `(n, B, k)`.

    Returns:
        `3n` candidates of each row.
    """
    rows, k = len(heads) // 2, heads.shape[1] // 2
    noise = heads.new_empty(n * len(heads), k).normal_(generator=generator)
    sample = squashed_sample(heads.repeat(n, 1), noise)
    uniform = heads.new_empty(n, rows, k).uniform_(-1, 1, generator=generator)
    log_density = heads.new_full((n, rows, 1), -k * math.log(2))
    return Candidates(
        torch.cat([sample.action.view(2 * n, rows, k), uniform]),
        torch.cat([sample.log_prob.view(2 * n, rows, 1), log_density]),
    )


class ConservativeStep(SACStep):
    """`SACStep` with COMBO's term in the critics' loss (Yu et al. 2021, section 4; Kumar et al. 2020).

    With candidates a_c of densities μ_c, each critic's loss is ½ mean (Q − target)² + β G, and

        G = mean_{s ~ ρ} log Σ_c exp(Q(s, a_c) − log μ_c) − mean_{data} Q(s, a).

    Args:
        parts: See `SACStep`.
        weight: β, more than 0.
        n_candidates: Number of candidates from each of the three distributions.
        rho: One of `RHOS`.
    """

    def __init__(self, parts: SACParts, weight: float, n_candidates: int, rho: str) -> None:
        super().__init__(parts)
        self._weight, self._n_candidates, self._rho = weight, n_candidates, rho

    def _learn_critics(self, batch: SACBatch, heads: Tensor, target: Tensor) -> Tensor:
        """Step along the gradient of Σ_j (½ mean (Q_j − target)² + β G_j)."""
        rows = len(target)
        action, log_density = draw_candidates(heads, self._n_candidates, self.generator)
        actions = torch.cat([batch.action, action.flatten(0, 1)])
        obs = batch.obs.repeat(1 + len(action), 1)
        values = self.critics.forward(torch.cat([obs, actions], dim=1)[None])
        value, others = torch.split(values[-1], [rows, rows * len(action)], dim=1)
        lowered = others.reshape(len(others), *log_density.shape) - log_density
        down, up = self._shares(batch.real)
        error = value - target
        at_batch = error / rows - self._weight * up
        at_candidates = self._weight * down * lowered.softmax(1)
        self.critics.backward(values, torch.cat([at_batch, at_candidates.flatten(1, 2)], dim=1))
        self.critic_adam.update()
        gap = (down * lowered.logsumexp(1) - up * value).sum(1).mean()
        self.further["conservative_gap"] = gap - math.log(len(action))
        return 0.5 * (error * error).sum() / rows

    def _shares(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Share of each row in the two means of G, `(B, 1)` each; zeros if there is no such row."""
        lowered = torch.ones_like(real) if self._rho == "mix" else 1 - real
        return tuple(rows / rows.sum().clamp(min=1) for rows in (lowered, real))  # type: ignore[return-value]
