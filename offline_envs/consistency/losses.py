"""The loss of a discriminator: a pure function of its logits."""

import torch
from torch import Tensor
from torch.nn import functional


def binary_cross_entropy(of_data: Tensor, of_model: Tensor) -> Tensor:
    """−½ (mean log D on recorded steps + mean log(1 − D) on the model's), D = sigmoid(logit).

    The discriminator's part of Luo et al. 2024 (MOREC), section 4, max_D E_data[log D] + E_model[log(1 − D)].
    It is least where D = p / (p + q), with the densities p of recorded and q of model steps.

    Args:
        of_data: Logits of recorded steps, of any shape.
        of_model: Logits of the model's steps, of any shape.

    Returns:
        The loss, a scalar; log 2 for a discriminator that knows nothing.
    """
    halves = [functional.softplus(-of_data).mean(), functional.softplus(of_model).mean()]
    return torch.stack(halves).mean()
