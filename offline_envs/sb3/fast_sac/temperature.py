"""The weight of the entropy in SAC, fixed or learned."""

import torch
from torch import Tensor

from offline_envs.kernels import FlatAdam


class FixedTemperature:
    """A fixed entropy coefficient.

    Args:
        value: α, a scalar.

    Attributes:
        value: α; it can be changed in place.
    """

    def __init__(self, value: Tensor) -> None:
        self.value = value.clone()

    def learn(self, log_prob: Tensor) -> tuple[Tensor, Tensor]:
        """Return α and a loss of 0."""
        del log_prob  # unused
        return self.value, torch.zeros_like(self.value)


class LearnedTemperature:
    """An entropy coefficient that brings the policy's entropy to a target (Haarnoja et al. 2018b, section 5).

    Its loss is −log α · mean(log π + H̄), as in Stable-Baselines3, where the paper has α instead of log α.

    Args:
        adam: Optimizer of log α, one number.
        target_entropy: H̄, in nats.
        largest: Bound of the α that is used; log α itself is not bounded.

    Attributes:
        target_entropy: H̄, a scalar; it can be changed in place.
    """

    def __init__(self, adam: FlatAdam, target_entropy: float, largest: float | None = None) -> None:
        self.adam = adam
        self.largest = largest
        self.target_entropy = adam.flat.values.new_tensor(target_entropy)

    def learn(self, log_prob: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step; return α and its loss from before the step, both scalars.

        Args:
            log_prob: Log-probability of actions that the policy samples now, `(B, 1)`.
        """
        log_alpha, grad = self.adam.flat.values, self.adam.flat.gradient
        grad.copy_(log_prob.mean()).add_(self.target_entropy).neg_()
        alpha, loss = log_alpha.exp()[0], (log_alpha * grad)[0]
        self.adam.update()
        return alpha if self.largest is None else alpha.clamp(max=self.largest), loss
