"""`fit_behaviour`: the density of a dataset's actions by maximum likelihood."""

import torch
from torch import Tensor

from offline_envs.data import Transitions, check_continuous
from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.behaviour import (
    ActionScale,
    BehaviourDensity,
    BehaviourSettings,
    mixture_log_prob,
    n_mixture_outputs,
)
from offline_envs.evaluation.off_policy.networks import Networks
from offline_envs.evaluation.scale import DataScale

CHUNK = 10_000
"""Rows whose holdout likelihood is computed together."""


def fit_behaviour(transitions: Transitions, settings: BehaviourSettings | None = None) -> BehaviourDensity:
    """Fit a density μ(a|s) to a dataset's actions.

    After each epoch the likelihood of the held-out rows is computed; the weights of the best epoch are kept.
    The same seed gives the same density.

    Args:
        transitions: The dataset, of at least two steps.
        settings: The density and its fit; None means the defaults.

    Raises:
        SettingsError: A single step, or `squash` for actions without bounds.
    """
    settings = settings or BehaviourSettings()
    if len(transitions) < 2:
        raise SettingsError("A behaviour density needs at least 2 steps, one of them to choose the epoch by.")
    generator = torch.Generator().manual_seed(settings.seed)
    density = _new_density(transitions, settings, generator)
    coordinates, log_change = density.scale(transitions.actions)
    inputs = density.inputs(transitions.obs)
    order = torch.randperm(len(inputs), generator=generator)
    n_holdout = min(max(1, round(settings.holdout * len(order))), len(order) - 1)
    held, train = order[:n_holdout], order[n_holdout:]
    best = density.networks.weights.values.clone()
    waited = 0
    for _ in range(settings.max_epochs):
        shuffled = train[torch.randperm(len(train), generator=generator)]
        for rows in torch.split(shuffled, settings.batch_size):
            _step(density.networks, inputs[rows], coordinates[rows])
        found = float(
            (_log_prob(density.networks, inputs[held], coordinates[held]) + log_change[held]).mean()
        )
        waited += 1
        if found > density.holdout_log_prob:
            density.holdout_log_prob, waited = found, 0
            best = density.networks.weights.values.clone()
        if waited >= settings.patience:
            break
    density.networks.weights.values.copy_(best)
    return density


def _new_density(
    transitions: Transitions, settings: BehaviourSettings, generator: torch.Generator
) -> BehaviourDensity:
    n_outputs = n_mixture_outputs(settings.n_components, transitions.action_dim)
    networks = Networks(
        (transitions.obs_dim, *settings.hidden, n_outputs),
        1,
        learning_rate=settings.learning_rate,
        generator=generator,
    )
    check_continuous(transitions.discrete_actions, "A behaviour density")
    scale = ActionScale.of(transitions.action_space, transitions.actions, squash=settings.squash)
    data = DataScale.of(transitions)
    return BehaviourDensity(networks, scale, data.obs_mean, data.obs_std)


def _step(networks: Networks, inputs: Tensor, coordinates: Tensor) -> None:
    values = networks.mlp.forward(inputs[None])
    outputs = values[-1].detach().requires_grad_()
    loss = -mixture_log_prob(outputs[0], coordinates).mean()
    (grad,) = torch.autograd.grad(loss, outputs)
    networks.learn(values, grad)


def _log_prob(networks: Networks, inputs: Tensor, coordinates: Tensor) -> Tensor:
    chunks = zip(torch.split(inputs, CHUNK), torch.split(coordinates, CHUNK), strict=True)
    return torch.cat([mixture_log_prob(networks.outputs(x)[0], u) for x, u in chunks])
