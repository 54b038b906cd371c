"""Checks of the agents that `FastSAC` supports, and their networks in its form."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import torch
from gymnasium.spaces import Box
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import Tensor, nn

from offline_envs.errors import SettingsError, unknown_name
from offline_envs.kernels import ACTIVATIONS, HIDDEN_DTYPES, Block, StackedMLP
from offline_envs.sb3.standardized_obs import StandardizedObs

EXTRACTORS = (FlattenExtractor, StandardizedObs)
"""Features extractors, the same for all networks of an agent."""

ADAM_OPTIONS = ("amsgrad", "maximize", "decoupled_weight_decay")
"""Options of Adam that change its step."""


def check_precision(name: str) -> None:
    """Refuse a precision that is not in `HIDDEN_DTYPES`.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    if name not in HIDDEN_DTYPES:
        raise unknown_name("precision", name, HIDDEN_DTYPES)


def check_supported(policy: SACPolicy, optimizers: list[torch.optim.Optimizer]) -> None:
    """Refuse a policy whose gradient step is not the one that is written out.

    Raises:
        SettingsError: Anything but plain MLPs of ReLU or tanh on flat observations, trained by plain Adam.
    """
    for reason in _reasons(policy, optimizers):
        raise SettingsError(f"FastSAC {reason}. Use stable_baselines3.SAC, which has the same arguments.")


def _reasons(policy: SACPolicy, optimizers: list[torch.optim.Optimizer]) -> Iterator[str]:
    space, actor, critic = policy.observation_space, policy.actor, policy.critic
    if not isinstance(space, Box) or (is_image_space(space) and policy.normalize_images):
        yield f"needs a Box of observations that is not an image, got {space}"
    if type(actor) is not Actor or type(critic) is not ContinuousCritic:
        yield f"needs SB3's own actor and critic, got {type(actor).__name__} and {type(critic).__name__}"
    if actor.use_sde:
        yield "needs independent noise, got use_sde=True"
    extractor = policy.features_extractor_class
    if extractor not in EXTRACTORS:
        names = " or ".join(kind.__name__ for kind in EXTRACTORS)
        yield f"needs {names} as features_extractor_class, got {extractor.__name__}"
    if policy.activation_fn not in ACTIVATIONS:
        names = " or ".join(kind.__name__ for kind in ACTIVATIONS)
        yield f"needs {names} as activation_fn, got {policy.activation_fn.__name__}"
    for optimizer in optimizers:
        group = optimizer.param_groups[0]
        if type(optimizer) is not torch.optim.Adam:
            yield f"needs plain torch.optim.Adam, got {type(optimizer).__name__}"
        for option in ADAM_OPTIONS:
            if group.get(option):
                yield f"needs plain torch.optim.Adam, got Adam with {option}=True"


def stacked_actor(actor: Actor) -> StackedMLP:
    """The actor as one network with the means' and the log-deviations' heads side by side."""
    heads: list[Any] = [actor.mu, actor.log_std]
    layers = [*([layer] for layer in _layers(actor.latent_pi, nn.Linear)), heads]
    return StackedMLP([Block(*_parameters(layer)) for layer in layers], 1, actor.activation_fn)


def stacked_critics(critic: ContinuousCritic, activation: type[nn.Module]) -> StackedMLP:
    """All critics as one batch of networks, layer-normalised or not."""
    linear, norms = (
        zip(*(_layers(network, kind) for network in critic.q_networks), strict=True)
        for kind in (nn.Linear, nn.LayerNorm)
    )
    blocks = [
        Block(*_parameters(layers), *_parameters(own))
        for layers, own in zip_longest(linear, norms, fillvalue=())
    ]
    return StackedMLP(blocks, critic.n_critics, activation)


def _layers(network: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [layer for layer in network.children() if isinstance(layer, kind)]


def _parameters(layers: Sequence[Any]) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases, or gains and shifts, of layers of one kind."""
    return [layer.weight for layer in layers], [layer.bias for layer in layers]
