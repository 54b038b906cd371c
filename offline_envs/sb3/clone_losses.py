"""`CLONE_LOSSES`: what a cloned policy is fitted by, as functions of policy, observations and actions."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from gymnasium.spaces import Box
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from torch import Tensor

from offline_envs.errors import SettingsError, unknown_name

BOUND_MARGIN = 1e-3
"""Least distance of an action from its bounds, of [−1, 1], in a likelihood.

An action of ±1 is a squashed Gaussian's at infinity, so closer ones would count more than all others. In
replay data of Hopper one in a hundred is, and the clone hardly depends on this number (10⁻⁶ to 10⁻²)."""

CloneLoss = Callable[[BasePolicy, Tensor, Tensor], Tensor]
"""From policy, observations `(B, d)` and actions to one loss a row, `(B,)`; see `negative_log_likelihood`."""


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


def share_of_other_choices(policy: BasePolicy, obs: Tensor, action: Tensor) -> Tensor:
    """Share of the choices of an action that differ from those of the deterministic one.

    Args:
        policy: A policy of discrete actions.
        obs: `(B, d)`.
        action: Integers, `(B,)` of a `Discrete`, `(B, m)` of a `MultiDiscrete`.

    Returns:
        0 or 1 of a `Discrete`, `(B,)`.
    """
    other = policy._predict(obs, deterministic=True) != action
    return other.float().reshape(len(other), -1).mean(dim=1)


def negative_log_likelihood(policy: BasePolicy, obs: Tensor, action: Tensor) -> Tensor:
    """−log π(a|s), of a Gaussian, a squashed Gaussian, or of choices, where it is the cross-entropy.

    RAMBO's release does the same and leaves out every batch with an action at its bounds; here such actions
    count as `BOUND_MARGIN` away.

    Args:
        policy: A policy that samples its actions.
        obs: `(B, d)`.
        action: In the units of the policy's output, `(B, k)`; of choices, integers `(B,)` or `(B, m)`.

    Returns:
        `(B,)`.
    """
    inside = action.clamp(BOUND_MARGIN - 1, 1 - BOUND_MARGIN) if policy.squash_output else action
    return -_distribution(policy, obs).log_prob(inside)


def check_clonable(policy: BasePolicy, loss: str) -> None:
    """Refuse a policy that cannot be fitted to recorded actions by a loss.

    Raises:
        SettingsError: An unknown loss, a deterministic policy, as those of TD3 and DDPG, under which no
            action has a likelihood, or one that chooses by values, as those of DQN and QR-DQN.
    """
    if loss not in CLONE_LOSSES:
        raise unknown_name("loss", loss, CLONE_LOSSES)
    if not isinstance(policy.action_space, Box):
        if not isinstance(policy, ActorCriticPolicy):
            raise SettingsError(
                "Cloning discrete actions needs a policy that gives them probabilities, as those of TRPO and "
                f"PPO; {type(policy).__name__} chooses the largest of its values, which recorded choices do "
                "not tell."
            )
        return
    if loss != "likelihood":
        return
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
