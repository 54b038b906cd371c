"""`SmoothedPolicy`: a deterministic policy with a little noise, so that its actions have a density."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.data import Transitions, check_continuous
from offline_envs.errors import SettingsError
from offline_envs.policies import Policy
from offline_envs.registry import Registry

SMALLEST_BANDWIDTH = 1e-3
"""Smallest bandwidth as a share of the range of an action; for actions that hardly vary in the data."""


def scott(n: int, n_dims: int) -> float:
    """Scott's factor n^(−1/(k+4)) (Scott 1992), times each action's deviation."""
    return float(n ** (-1 / (n_dims + 4)))


def silverman(n: int, n_dims: int) -> float:
    """Silverman's factor (n (k+2)/4)^(−1/(k+4)) (Silverman 1986), times each action's deviation."""
    return float((n * (n_dims + 2) / 4) ** (-1 / (n_dims + 4)))


BANDWIDTHS: Registry[Callable[[int, int], float]] = Registry(
    "bandwidth", {"scott": scott, "silverman": silverman}
)
"""Rules for the bandwidth of a kernel, by name: factors of the deviation of the recorded actions."""


@dataclass(frozen=True)
class SmoothedPolicy:
    """The actions of a deterministic policy, blurred by a Gaussian kernel that is cut off at their bounds.

    The importance weight of a step is K((a − π(s)) / h) / μ(a|s), as Kallus and Zhou (2018) weight continuous
    treatments. The kernel integrates to 1 over the action space, so this is a stochastic policy in its own
    right: estimates are of its return, which tends to the deterministic one's as h → 0.

    Attributes:
        policy: The deterministic policy.
        bandwidth: Deviation h of each action dimension before the cut, float32 `(k,)`, positive.
        low: Lower bound of each action, `(k,)`; may be −infinity.
        high: Upper bound likewise.
    """

    policy: Policy
    bandwidth: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, policy: Policy, transitions: Transitions, bandwidth: str | float = "scott") -> Self:
        """Smooth a policy for a dataset.

        Args:
            policy: The policy; its actions are asked for without gradients.
            transitions: The dataset.
            bandwidth: A rule in `BANDWIDTHS`, or h itself in the environment's units.

        Raises:
            SettingsError: An unknown rule, a number that is not positive, or discrete actions.
        """
        check_continuous(transitions.discrete_actions, "A smoothed policy")
        space = transitions.action_space
        low, high = (torch.as_tensor(bound, dtype=torch.float32) for bound in (space.low, space.high))
        return cls(policy, chosen_bandwidth(bandwidth, transitions.actions, space), low, high)

    def log_prob(self, obs: Tensor, action: Tensor) -> Tensor:
        """See `ActionDensity`; of a truncated Gaussian, float64."""
        mean = self._means(obs).double()
        z = (action.double() - mean) / self.bandwidth
        log_kernel = -0.5 * z.square() - torch.log(self.bandwidth.double()) - 0.5 * math.log(2 * math.pi)
        below, above = self._tails(mean)
        return (log_kernel - torch.log(above - below)).sum(1)

    def sample(self, obs: Tensor, generator: torch.Generator) -> Tensor:
        """Draw an action for each observation, float32 `(B, k)`, by the inverse distribution function."""
        mean = self._means(obs).double()
        below, above = self._tails(mean)
        share = below + (above - below) * torch.rand(mean.shape, generator=generator, dtype=torch.float64)
        drawn = mean + self.bandwidth * torch.special.ndtri(share)
        return torch.clamp(drawn.float(), self.low, self.high)

    def _means(self, obs: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.clamp(self.policy(obs), self.low, self.high)

    def _tails(self, mean: Tensor) -> tuple[Tensor, Tensor]:
        """The untruncated distribution function at both bounds, float64 `(B, k)` each."""
        ends = ((bound.double() - mean) / self.bandwidth for bound in (self.low, self.high))
        below, above = (torch.special.ndtr(end) for end in ends)
        return below, above


def expected_values(
    q: Callable[[Tensor, Tensor], Tensor],
    policy: SmoothedPolicy,
    obs: Tensor,
    *,
    n_actions: int = 4,
    seed: int = 0,
) -> Tensor:
    """V̂(s) = E Q̂(s, a) over the smoothed policy's actions, estimated without bias by a few draws.

    Args:
        q: The Q-function, of observations `(n, d)` and actions `(n, k)`.
        policy: The policy.
        obs: Observations, `(n, d)`.
        n_actions: Draws for each observation.
        seed: Seed of the draws.

    Returns:
        `(n,)`.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([q(obs, policy.sample(obs, generator)) for _ in range(n_actions)]).mean(0)


def chosen_bandwidth(bandwidth: str | float, actions: Tensor, space: Box) -> Tensor:
    """The bandwidth of each action dimension, float32 `(k,)`, in the environment's units.

    Args:
        bandwidth: A rule in `BANDWIDTHS`, or the number itself.
        actions: Recorded actions, `(n, k)`.
        space: Their space.

    Raises:
        SettingsError: An unknown rule, or a number that is not positive.
    """
    n, n_dims = actions.shape
    if not isinstance(bandwidth, str):
        if not (bandwidth > 0 and math.isfinite(bandwidth)):
            raise SettingsError(
                f"bandwidth must be positive or one of {', '.join(BANDWIDTHS)}, got {bandwidth}."
            )
        return torch.full((n_dims,), float(bandwidth))
    width = torch.as_tensor(space.high - space.low, dtype=torch.float32)
    least = SMALLEST_BANDWIDTH * torch.where(width.isfinite(), width, 1.0)
    return torch.maximum(BANDWIDTHS.find(bandwidth)(n, n_dims) * actions.std(0, correction=0), least)
