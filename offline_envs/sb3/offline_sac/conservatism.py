"""A gradient step of SAC whose critics are lowered at the policy's actions and raised at the data's."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.sb3.fast_sac.sac_step import SACBatch, SACParts, SACStep
from offline_envs.sb3.fast_sac.squashed_gaussian import squashed_sample

RHOS = ("mix", "model")
"""Rows at whose states values are lowered: all, or those of the model."""

CPU_CHUNK = 64
"""Rows of a batch that a CPU computes together, each with its candidates: their activations fit its cache."""


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

        G = mean_{s ~ ρ} log Σ_c exp(Q(s, a_c) − log μ_c) − mean_{data} Q(s, a),

    and 0 while there are no rows of the model to lower values at.

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
        candidates = draw_candidates(heads, self._n_candidates, self.generator)
        down, up = self._shares(batch.real)
        gradient, gap = torch.zeros_like(self.critics.flat.gradient), torch.zeros_like(target[0, 0])
        loss = gap
        for rows in _chunks(len(target), target.device):
            part = self._descend(batch, candidates, target, (down, up), rows)
            gradient += self.critics.flat.gradient
            loss, gap = loss + part[0], gap + part[1]
        self.critics.flat.gradient.copy_(gradient)
        self.critic_adam.update()
        self.further["conservative_gap"] = gap - math.log(len(candidates.action))
        return loss

    def _descend(
        self,
        batch: SACBatch,
        candidates: Candidates,
        target: Tensor,
        shares: tuple[Tensor, Tensor],
        rows: slice,
    ) -> tuple[Tensor, Tensor]:
        """Write the gradient of some rows' terms of the loss.

        Returns:
            The terms of half the squared errors, and of G + log C, its mean over critics; scalars.
        """
        action, log_density = (part[:, rows] for part in candidates)
        target, (down, up) = target[rows], (share[rows] for share in shares)
        actions = torch.cat([batch.action[rows], action.flatten(0, 1)])
        obs = batch.obs[rows].repeat(1 + len(action), 1)
        values = self.critics.forward(torch.cat([obs, actions], dim=1)[None])
        value, others = torch.split(values[-1], [len(target), len(actions) - len(target)], dim=1)
        lowered = others.reshape(len(others), *log_density.shape) - log_density
        error = value - target
        at_batch = error / len(batch.obs) - self._weight * up
        at_candidates = self._weight * down * lowered.softmax(1)
        self.critics.backward(values, torch.cat([at_batch, at_candidates.flatten(1, 2)], dim=1))
        gap = (down * lowered.logsumexp(1) - up * value).sum(1).mean()
        return 0.5 * (error * error).sum() / len(batch.obs), gap

    def _shares(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Share of each row in the two means of G, `(B, 1)` each.

        Zeros if there is no such row, and both of them if none is lowered: the data's alone would be raised.
        """
        lowered = torch.ones_like(real) if self._rho == "mix" else 1 - real
        down, up = (rows / rows.sum().clamp(min=1) for rows in (lowered, real))
        return down, up * lowered.amax()


def _chunks(n_rows: int, device: torch.device) -> Iterator[slice]:
    """Rows of a batch that are computed together."""
    size = CPU_CHUNK if device.type == "cpu" else n_rows
    return (slice(start, start + size) for start in range(0, n_rows, size))
