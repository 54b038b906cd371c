"""From the logits of discriminators to a dynamics reward: pure functions of tensors."""

import torch
from torch import Tensor

LOWEST, HIGHEST = 0.3132617, 1.3132617
"""Bounds of a dynamics reward: −log(1 − sigmoid(∓1)) = log(1 + e^∓1)."""


def calibrated(logits: Tensor, of_model: Tensor, of_data: Tensor) -> Tensor:
    """Clamp each discriminator's logits to their means on model and on recorded steps, and scale to [−1, 1].

    So no discriminator, however sure, outweighs the others. One whose mean is not larger on recorded steps
    tells nothing, and says 0. As in the release of Luo et al. 2024 (MOREC).

    Args:
        logits: `(K, B)`.
        of_model: Mean logit of each discriminator on the model's steps, `(K,)`.
        of_data: The same on recorded steps, `(K,)`.

    Returns:
        `(K, B)`.
    """
    low, high = of_model[:, None], of_data[:, None]
    middle, half = (low + high) / 2, (high - low) / 2
    scaled = ((logits - middle) / half).clamp(-1, 1)
    return torch.where(half > 0, scaled, 0.0)


def reward_of_logits(logits: Tensor) -> Tensor:
    """Dynamics reward −log(1 − mean_k D_k) with D_k = sigmoid(logit_k), `(K, B)` to `(B,)`.

    Luo et al. 2024 (MOREC), section 4. For calibrated logits it lies between `LOWEST` and `HIGHEST`.
    """
    return -torch.log1p(-torch.sigmoid(logits).mean(dim=0))
