"""How alike the critics' slopes are, and a gradient step that makes them less so (An et al. 2021)."""

import torch
from torch import Tensor

from offline_envs.kernels import InputSlopes
from offline_envs.sb3.fast_sac.sac_step import SACBatch, SACParts, SACStep

EPSILON = 1e-10
"""Added to the length of a slope before the division by it."""


def slope_similarity(slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Compute EDAC's measure ES of how alike the critics change with the action, and its gradient.

    ES = mean over rows of 1/(N − 1) Σ_{i≠j} cos(∇_a Q_i, ∇_a Q_j): An et al. 2021, section 4.

    Args:
        slopes: ∇_a Q_i at each row, `(N, B, k)`, of at least two critics.

    Returns:
        ES, a scalar, N where all slopes point the same way; and its gradient with respect to `slopes`,
        `(N, B, k)`.
    """
    n, rows, _ = slopes.shape
    length = torch.linalg.vector_norm(slopes, dim=2, keepdim=True)
    unit = slopes / (length + EPSILON)
    others = (unit.sum(0) - unit).div_((n - 1) * rows)
    similarity = (unit * others).sum()
    # Of a unit vector u = g / |g|, the derivative along v is (v − u (u · v)) / |g|; each pair counts twice.
    grad = 2 * (others - unit * (unit * others).sum(2, keepdim=True)) / (length + EPSILON)
    return similarity, grad


class DiverseStep(SACStep):
    """`SACStep` with η · ES in the critics' loss, at the actions of the batch.

    Args:
        parts: See `SACStep`; the critics are networks of ReLU.
        diversity: η, more than 0.
    """

    def __init__(self, parts: SACParts, diversity: float) -> None:
        super().__init__(parts)
        self._diversity = diversity

    def _learn_critics(self, batch: SACBatch, heads: Tensor, target: Tensor) -> Tensor:
        """Step along the gradient of ½ (Σ_j mean (Q_j − target)² + η ES)."""
        values = self.critics.forward(torch.cat([batch.obs, batch.action], dim=1)[None])
        error = values[-1] - target
        slopes = InputSlopes(self.critics, values)
        similarity, grad = slope_similarity(slopes.by_inputs(first_column=batch.obs.shape[1]))
        slopes.backward(error / len(target), 0.5 * self._diversity * grad)
        self.critic_adam.update()
        self.further["critic_similarity"] = similarity / len(error)
        return 0.5 * (error * error).sum() / len(target)
