"""`LayerNormPolicy`: SAC's policy with layer-normalised critics."""

from stable_baselines3.common.policies import BasePolicy, ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.sac.policies import SACPolicy
from torch import nn

from offline_envs.errors import SettingsError


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


def _normalize(network: nn.Sequential) -> None:
    """Put a layer norm after each linear layer but the last."""
    *hidden, _ = (index for index, layer in enumerate(network) if isinstance(layer, nn.Linear))
    for index in reversed(hidden):
        width = network[index].out_features
        assert isinstance(width, int)
        network.insert(index + 1, nn.LayerNorm(width))


def with_layer_norm(kind: type[BasePolicy]) -> type[LayerNormPolicy]:
    """The class of policies like `kind` with layer-normalised critics.

    Raises:
        SettingsError: Another class than SAC's own for flat observations.
    """
    if kind not in (SACPolicy, LayerNormPolicy):
        raise SettingsError(f"critic_layer_norm needs 'MlpPolicy' as policy, got {kind.__name__}.")
    return LayerNormPolicy
