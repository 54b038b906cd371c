"""`AveragedTRPO`: `FastTRPO`, which can act by an average of its policy's weights."""

from copy import copy, deepcopy
from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import nn

from offline_envs.errors import SettingsError
from offline_envs.sb3.averaging import ActsByAverage, check_decay
from offline_envs.sb3.fast_trpo import FastTRPO


class AveragedActorCriticPolicy(ActsByAverage, ActorCriticPolicy):
    """An actor-critic policy whose deterministic actions are those of an average of its weights.

    The average is held as buffers: TRPO differentiates by every parameter of its policy.
    """

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        self._averaged = _without_parameters(_plain(self))
        self.register_average()

    @property
    def averaged(self) -> BasePolicy:
        """See `ActsByAverage`."""
        return self._averaged

    @property
    def current(self) -> BasePolicy:
        """See `ActsByAverage`."""
        return _plain(self)

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the average: θ̄ ← δ θ̄ + (1 − δ) θ.

        Args:
            decay: δ.
        """
        current = dict(self.named_parameters())
        for name, mean in self._averaged.named_buffers():
            if name in current:
                mean.lerp_(current[name], 1 - decay)


class AveragedTRPO(FastTRPO):
    """`FastTRPO`, whose evaluated and saved policy can be an average of the policies on its way.

    Each step of TRPO stays close to the last policy, but where a policy hardly keeps its balance a step
    decides whether it does. `docs/batches.md` says what an average is worth.

    Args:
        actor_ema_decay: Decay δ of an exponential moving average of the policy's weights, θ̄ ← δ θ̄ + (1 − δ) θ
            after each step of the policy, by which the agent acts where it is deterministic; None for none.
            The average starts from the weights before the first step, e.g. those of a clone.

    Other arguments are those of sb3-contrib's `TRPO`.

    Raises:
        SettingsError: A decay that is not in [0, 1), or one with another policy than `"MlpPolicy"` or gSDE.

    Example:
        >>> agent = AveragedTRPO("MlpPolicy", "Pendulum-v1", actor_ema_decay=0.9, n_steps=128, device="cpu")
        >>> _ = agent.learn(128)
    """

    def __init__(self, *args: Any, actor_ema_decay: float | None = None, **kwargs: Any) -> None:
        self.actor_ema_decay = actor_ema_decay
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        check_decay(self.actor_ema_decay)
        if self.actor_ema_decay is not None:
            self.policy_class = _with_average(self.policy_class)
            if self.use_sde:
                raise SettingsError("actor_ema_decay needs use_sde=False: the noise of gSDE has no average.")
        super()._setup_model()
        if isinstance(self.policy, AveragedActorCriticPolicy):
            self.policy.follows = True

    def train(self) -> None:
        """Take a step of the policy, then one of its average."""
        policy = self.policy if isinstance(self.policy, AveragedActorCriticPolicy) else None
        if policy is not None and not policy.has_average:
            policy.start_average()
        super().train()
        if policy is not None:
            policy.average(self.actor_ema_decay or 0.0)


def _with_average(kind: type[BasePolicy]) -> type[BasePolicy]:
    if kind not in (ActorCriticPolicy, AveragedActorCriticPolicy):
        raise SettingsError(f"actor_ema_decay needs 'MlpPolicy' as policy, got {kind.__name__}.")
    return AveragedActorCriticPolicy


def _plain(policy: ActorCriticPolicy) -> ActorCriticPolicy:
    """The same weights, as a policy without an average."""
    plain = copy(policy)
    plain.__class__ = ActorCriticPolicy
    plain._modules = {name: part for name, part in policy._modules.items() if name != "_averaged"}
    plain._buffers = {name: value for name, value in policy._buffers.items() if name != "has_average"}
    return plain


class _WithoutParameters(ActorCriticPolicy):
    """A policy whose weights are buffers."""

    @property
    def device(self) -> torch.device:
        """Where the weights are; Stable-Baselines3 asks the parameters."""
        return next(self.buffers()).device


def _without_parameters(policy: ActorCriticPolicy) -> ActorCriticPolicy:
    """A copy of a policy that holds its weights as buffers, under the same names, and has no optimizer."""
    found = copy(policy)
    found.__class__ = _WithoutParameters
    del found.optimizer
    found = deepcopy(found)
    for module in found.modules():
        for name, parameter in list(module._parameters.items()):
            if isinstance(parameter, nn.Parameter):
                del module._parameters[name]
                module.register_buffer(name, parameter.detach())
    return found
