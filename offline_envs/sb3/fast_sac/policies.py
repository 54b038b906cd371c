"""SAC's policy with layer-normalised critics, with an average of the actor's weights, and with both."""

import torch
from stable_baselines3.common.policies import BasePolicy, ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import nn

from offline_envs.errors import SettingsError
from offline_envs.sb3.averaging import ActsByAverage


class LayerNormPolicy(SACPolicy):
    """SAC's policy with a layer norm between each hidden layer of the critics and its activation.

    Hiraoka et al. 2022 (DroQ) and Ball et al. 2023 (RLPD): it bounds the values of actions that the data do
    not have. The actor has none. Initial weights are those of `SACPolicy` from the same seed.
    """

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> ContinuousCritic:
        """Make the critics; see `SACPolicy`."""
        critic = super().make_critic(features_extractor)
        for network in critic.q_networks:
            assert isinstance(network, nn.Sequential)
            _normalize(network)
        return critic.to(self.device)


class AveragedPolicy(ActsByAverage, SACPolicy):
    """SAC's policy whose deterministic actions are those of an average of the actor's weights.

    Attributes:
        averaged_actor: Network with the average of the weights.
    """

    averaged_actor: Actor

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        with torch.random.fork_rng(devices=[]):  # training draws the same numbers with and without an average
            self.averaged_actor = self.make_actor().requires_grad_(False)
        self.register_average()

    @property
    def averaged(self) -> BasePolicy:
        """See `ActsByAverage`."""
        return self.averaged_actor

    @property
    def current(self) -> BasePolicy:
        """See `ActsByAverage`."""
        return self.actor


class AveragedLayerNormPolicy(AveragedPolicy, LayerNormPolicy):
    """`AveragedPolicy` and `LayerNormPolicy` in one."""


OWN_POLICIES = (SACPolicy, LayerNormPolicy, AveragedPolicy, AveragedLayerNormPolicy)


def policy_with(kind: type[BasePolicy], *, layer_norm: bool, average: bool) -> type[BasePolicy]:
    """The class of policies like `kind` with further parts.

    Args:
        kind: Class of a policy; those of its parts that are not asked for stay.
        layer_norm: Whether critics are layer-normalised.
        average: Whether deterministic actions are those of an average.

    Raises:
        SettingsError: Further parts for another class than SAC's own for flat observations.
    """
    if not (layer_norm or average):
        return kind
    if kind not in OWN_POLICIES:
        setting = "critic_layer_norm" if layer_norm else "actor_ema_decay"
        raise SettingsError(f"{setting} needs 'MlpPolicy' as policy, got {kind.__name__}.")
    layer_norm |= issubclass(kind, LayerNormPolicy)
    average |= issubclass(kind, AveragedPolicy)
    if layer_norm and average:
        return AveragedLayerNormPolicy
    return LayerNormPolicy if layer_norm else AveragedPolicy


def _normalize(network: nn.Sequential) -> None:
    """Put a layer norm after each linear layer but the last."""
    *hidden, _ = (index for index, layer in enumerate(network) if isinstance(layer, nn.Linear))
    for index in reversed(hidden):
        width = network[index].out_features
        assert isinstance(width, int)
        network.insert(index + 1, nn.LayerNorm(width))
