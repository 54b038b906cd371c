"""`start_from`: the weights of a new fit, taken from an ensemble that was fitted before."""

import math

import torch
from torch import Tensor, nn

from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.ensemble.layers import MemberLinear, Normalizer
from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.errors import SettingsError

COMPARABLE = 1e3
"""Largest factor between the old and the new deviation of a column for which old weights are of use. A column
that hardly varied before, and does now, exceeds it."""


def check_initial(
    initial: EnsembleDynamics, settings: EnsembleSettings, obs_dim: int, action_dim: int
) -> None:
    """Refuse an ensemble whose weights are not those of the new fit's networks.

    Raises:
        SettingsError: Other dimensions or another shape, or spectral norm, which changing the scale of
            inputs would undo.
    """
    found, needed = (initial.obs_dim, initial.action_dim), (obs_dim, action_dim)
    if found != needed:
        raise SettingsError(
            f"initial must have the dimensions of the dataset, obs {obs_dim} and action {action_dim}; it has "
            f"obs {found[0]} and action {found[1]}."
        )
    if initial.settings != settings:
        raise SettingsError(
            f"initial must have the shape that is fitted, {settings}, got {initial.settings}. Leave the "
            "settings of the ensemble out to take those of initial."
        )
    if settings.spectral_norm:
        raise SettingsError("initial cannot be an ensemble with spectral_norm=True: fit without initial.")


@torch.no_grad()
def start_from(ensemble: EnsembleDynamics, initial: EnsembleDynamics, scaler: Normalizer | None) -> None:
    """Give an ensemble that is about to be fitted the predictions of one that was fitted before, in place.

    Inputs and targets are standardised by the new data, and the first and the last layers are changed so
    that predictions stay the same up to rounding. Columns whose deviation changed beyond comparison
    (`COMPARABLE`) keep the new ensemble's random weights instead.

    Args:
        ensemble: New networks on the CPU, whose normaliser is fitted to the new data.
        initial: Networks of the same shape, on any device, which predict in raw units.
        scaler: How the targets of the new fit are standardised; None if they are not.
    """
    fresh = {name: value.clone() for name, value in ensemble.named_parameters()}
    old = {name: value.cpu() for name, value in initial.state_dict().items()}
    for name, value in ensemble.named_parameters():
        value.copy_(old[name])
    _adapt_inputs(ensemble, old, fresh["trunk.0.weight"])
    if scaler:
        mean, std = scaler.mean.cpu(), scaler.std.cpu()
        ensemble.rescale_outputs(-mean / std, 1 / std)
        _renew_outputs(ensemble, fresh)


def _adapt_inputs(ensemble: EnsembleDynamics, old: dict[str, Tensor], fresh: Tensor) -> None:
    """Let the first layer read inputs with another standardisation."""
    first, new = ensemble.trunk[0], ensemble.normalizer
    assert isinstance(first, MemberLinear)
    mean, std = old["normalizer.mean"].double(), old["normalizer.std"].double()
    factor = new.std / std
    kept = (factor < COMPARABLE) & (factor > 1 / COMPARABLE)
    shift = torch.where(kept, (new.mean - mean) / std, 0.0)
    first.bias.add_((shift @ first.weight.double())[:, None])
    first.weight.copy_(torch.where(kept[:, None], first.weight * factor[:, None], fresh))


def _renew_outputs(ensemble: EnsembleDynamics, fresh: dict[str, Tensor]) -> None:
    """Start those outputs afresh whose largest deviation has nothing to do with that of the new targets."""
    if ensemble.bounds is None:
        return
    renewed = ensemble.bounds.high.abs() > 2 * math.log(COMPARABLE)
    parameters: dict[str, nn.Parameter] = dict(ensemble.named_parameters())
    for name, value in parameters.items():
        if name.startswith(("heads.", "bounds.")):
            columns = renewed.repeat(value.shape[-1] // len(renewed))
            value.copy_(torch.where(columns, fresh[name], value))
