"""`BehaviourDensity`: the density of a dataset's actions, a mixture of Gaussians that depends on obs."""

import math
from dataclasses import dataclass

import torch
from gymnasium.spaces import Box
from torch import Tensor
from torch.nn import functional

from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.networks import Networks, check_sizes
from offline_envs.settings import JsonSettings, check_seed

INSIDE = 1 - 1e-6
"""Largest share of an action's range before its inverse tanh; beyond, float32 has no more digits."""

LOG_STD = (-5.0, 2.0)
"""Bounds of a component's log-deviation; they keep an atom of the data from an infinite density."""


@dataclass(frozen=True)
class BehaviourSettings(JsonSettings):
    """The density and how it is fitted.

    Attributes:
        squash: Whether the mixture is one of atanh(action), as a SAC agent's, so that all of it lies within
            the bounds; for bounded actions only. Otherwise it is one of the actions themselves.
        n_components: Gaussians of the mixture; each has its own deviation for every action dimension.
        hidden: Units of each hidden layer.
        learning_rate: Adam's step size.
        batch_size: Rows of a gradient step.
        max_epochs: Most passes over the training rows.
        patience: Epochs without a better holdout likelihood after which the fit stops.
        holdout: Share of the rows kept from the fit, by which the best epoch is chosen.
        seed: Seed of initial weights, holdout and batches.

    Raises:
        SettingsError: A number out of range.
    """

    squash: bool = True
    n_components: int = 5
    hidden: tuple[int, ...] = (128, 128)
    learning_rate: float = 1e-3
    batch_size: int = 512
    max_epochs: int = 30
    patience: int = 3
    holdout: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes(
            self.hidden,
            n_components=self.n_components,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
        )
        if not 0 < self.holdout < 1:
            raise SettingsError(f"holdout must lie between 0 and 1, got {self.holdout}.")
        check_seed(self.seed)


@dataclass(frozen=True)
class ActionScale:
    """From actions to the coordinates in which they are a mixture of Gaussians.

    Attributes:
        centre: Middle of each action, `(k,)`.
        half: Half of its range, or its deviation where it has no bounds, `(k,)`, positive.
        squash: Whether coordinates are atanh of the scaled action.
    """

    centre: Tensor
    half: Tensor
    squash: bool

    @classmethod
    def of(cls, space: Box, actions: Tensor, *, squash: bool) -> "ActionScale":
        """The scale of a space or, where it has no bounds, of recorded actions `(n, k)`.

        Raises:
            SettingsError: `squash` for actions without bounds.
        """
        if space.is_bounded():
            low, high = (torch.as_tensor(bound, dtype=torch.float32) for bound in (space.low, space.high))
            return cls((high + low) / 2, (high - low) / 2, squash)
        if squash:
            raise SettingsError(f"squash=True needs a bounded Box, got {space}. Use squash=False.")
        return cls(actions.mean(0), actions.std(0, correction=0).clamp(min=1e-6), squash)

    def __call__(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates `(B, k)` of actions, and the log of their change per unit of action, `(B,)`."""
        share = (actions - self.centre) / self.half
        log_change = -torch.log(self.half).sum().expand(len(actions))
        if not self.squash:
            return share, log_change
        share = share.clamp(-INSIDE, INSIDE)
        return torch.atanh(share), log_change - torch.log1p(-share.square()).sum(1)


class BehaviourDensity:
    """μ(a|s), fitted to the actions of a dataset; an `ActionDensity`. See `fit_behaviour`.

    Args:
        networks: A network from standardised obs to the mixture's weights, means and log-deviations.
        scale: The coordinates of the mixture.
        obs_mean: Mean of each observation dimension, `(d,)`.
        obs_std: Its deviation, `(d,)`, positive.

    Attributes:
        holdout_log_prob: Mean log-density of the rows that were kept from the fit, of the weights chosen.
    """

    def __init__(self, networks: Networks, scale: ActionScale, obs_mean: Tensor, obs_std: Tensor) -> None:
        self.networks, self.scale = networks, scale
        self._obs_mean, self._obs_std = obs_mean, obs_std
        self.holdout_log_prob = -math.inf

    def inputs(self, obs: Tensor) -> Tensor:
        """Standardised observations."""
        return (obs - self._obs_mean) / self._obs_std

    def log_prob(self, obs: Tensor, action: Tensor) -> Tensor:
        """See `ActionDensity`."""
        coordinates, log_change = self.scale(action)
        return mixture_log_prob(self.networks.outputs(self.inputs(obs))[0], coordinates) + log_change


def n_mixture_outputs(n_components: int, n_dims: int) -> int:
    """Outputs of a network that describe a mixture: a weight, k means and k log-deviations a component."""
    return n_components * (1 + 2 * n_dims)


def mixture_log_prob(outputs: Tensor, x: Tensor) -> Tensor:
    """Log-density of a mixture of Gaussians with diagonal covariance.

    Args:
        outputs: Logits of the weights, means and log-deviations, `(B, c (1 + 2k))`.
        x: Points, `(B, k)`.

    Returns:
        `(B,)`.
    """
    k = x.shape[1]
    c = outputs.shape[1] // (1 + 2 * k)
    logits, mean, log_std = torch.split(outputs, [c, c * k, c * k], dim=1)
    low, high = LOG_STD
    log_std = high - functional.softplus(high - log_std)  # soft bounds, whose gradient never vanishes
    log_std = low + functional.softplus(log_std - low)
    z = (x[:, None] - mean.view(-1, c, k)) * torch.exp(-log_std.view(-1, c, k))
    log_normal = -0.5 * z.square() - log_std.view(-1, c, k) - 0.5 * math.log(2 * math.pi)
    return torch.logsumexp(torch.log_softmax(logits, 1) + log_normal.sum(2), dim=1)
