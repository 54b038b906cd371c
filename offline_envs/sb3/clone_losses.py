"""`CLONE_LOSSES`: what a cloned policy is fitted by, as functions of policy, observations and actions."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from torch import Tensor

from offline_envs.errors import SettingsError

BOUND_MARGIN = 1e-3
"""Least distance of an action from its bounds, of [−1, 1], in a likelihood.

An action of ±1 is a squashed Gaussian's at infinity, so closer ones would count more than all others. In
replay data of Hopper one in a hundred is, and the clone hardly depends on this number (10⁻⁶ to 10⁻²)."""

CloneLoss = Callable[[BasePolicy, Tensor, Tensor], Tensor]
"""From policy, observations `(B, d)` and actions `(B, k)` to one loss a row, `(B,)`."""


def squared_distance(policy: BasePolicy, obs: Tensor, action: Tensor) -> Tensor:
    """Mean squared distance of the deterministic action, over its dimensions.

    Args:
        policy: Any policy of continuous actions.
        obs: `(B, d)`.
        action: In the units of the policy's output, `(B, k)`.

    Returns:
        `(B,)`.
    """
    return (policy._predict(obs, deterministic=True) - action).square().mean(dim=1)


def negative_log_likelihood(policy: BasePolicy, obs: Tensor, action: Tensor) -> Tensor:
    """−log π(a|s), of a Gaussian or squashed Gaussian.

    RAMBO's release does the same and leaves out every batch with an action at its bounds; here such actions
    count as `BOUND_MARGIN` away.

    Args:
        policy: A policy that samples its actions.
        obs: `(B, d)`.
        action: In the units of the policy's output, `(B, k)`.

    Returns:
        `(B,)`.
    """
    inside = action.clamp(BOUND_MARGIN - 1, 1 - BOUND_MARGIN) if policy.squash_output else action
    return -_distribution(policy, obs).log_prob(inside)


def check_samples(policy: BasePolicy) -> None:
    """Refuse a deterministic policy, under which no action has a likelihood.

    Raises:
        SettingsError: Such a policy, as those of TD3 and DDPG.
    """
    if not isinstance(policy, ActorCriticPolicy) and not hasattr(policy.actor, "get_action_dist_params"):
        raise SettingsError(
            f"loss='likelihood' needs a policy that samples its actions, and {type(policy).__name__} is "
            "deterministic. Use loss='mean'."
        )


def _distribution(policy: Any, obs: Tensor) -> Distribution:
    if isinstance(policy, ActorCriticPolicy):
        return policy.get_distribution(obs)
    mean, log_std, more = policy.actor.get_action_dist_params(obs)
    distribution: Distribution = policy.actor.action_dist.proba_distribution(mean, log_std, **more)
    return distribution


CLONE_LOSSES: Mapping[str, CloneLoss] = MappingProxyType(
    {"mean": squared_distance, "likelihood": negative_log_likelihood}
)
