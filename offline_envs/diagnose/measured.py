"""What an ensemble says about given steps, and how that compares with the truth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.diagnose.intervals import mixture_quantile
from offline_envs.dynamics import MEASURES, DynamicsModel, Prediction
from offline_envs.dynamics.prediction import DELTA
from offline_envs.dynamics.uncertainty.unknown import scaled_disagreement

CHUNK = 1024
"""Rows predicted at once, which bounds the memory."""


@dataclass(frozen=True)
class Doubt:
    """How unsure an ensemble is of `m` pairs of observation and action.

    Attributes:
        uncertainty: u of each measure by its name, float32 `(m,)`, before the coefficient.
        disagreement: Largest distance between the means of two of all members, in deviations of the data,
            `(m,)`: what `PessimisticModel-v0` compares with its threshold by default.
    """

    uncertainty: Mapping[str, Tensor]
    disagreement: Tensor


@dataclass(frozen=True)
class Verdict:
    """How far an ensemble is from the truth on `m` steps.

    Attributes:
        error: Distance of the elites' mean from the true next observation, float32 `(m,)`, raw units.
        quantile: Where the truth lies in the elites' mixture of Gaussians, float64 `(m, 1 + d)` for
            (reward, next_obs), uniform on [0, 1] if calibrated; None for deterministic members.
    """

    error: Tensor
    quantile: Tensor | None


def usable_measures(ensemble: DynamicsModel, n_measured: int) -> list[str]:
    """Names of the measures that are not zero everywhere for such members, `n_measured` of them."""
    probabilistic = ensemble.probabilistic
    return [n for n, m in MEASURES.items() if m.is_informative(n_measured, probabilistic=probabilistic)]


def doubt(ensemble: DynamicsModel, obs: Tensor, actions: Tensor, *, members: str, scale: Tensor) -> Doubt:
    """Measure how unsure an ensemble is.

    Args:
        ensemble: The model, on any device.
        obs: Observations, float32 `(m, d)`, on the CPU.
        actions: Actions, float32 `(m, k)`.
        members: Whose predictions the measures take, `"all"` or `"elites"`; the disagreement takes all.
        scale: Deviation of each observation dimension, `(d,)`, the unit of the disagreement.
    """
    names = usable_measures(ensemble, ensemble.n_members if members == "all" else len(ensemble.elites))
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    apart = []
    for _, prediction in _predictions(ensemble, obs, actions):
        asked = prediction if members == "all" else prediction.members(ensemble.elites)
        for name in names:
            found[name].append(MEASURES[name](asked).cpu())
        apart.append(scaled_disagreement(prediction, scale.to(prediction.mean.device)).cpu())
    return Doubt({name: torch.cat(parts) for name, parts in found.items()}, torch.cat(apart))


def judge(
    ensemble: DynamicsModel, obs: Tensor, actions: Tensor, rewards: Tensor, next_obs: Tensor
) -> Verdict:
    """Hold an ensemble's elites against true steps: `(m, d)`, `(m, k)`, `(m,)`, `(m, d)` on the CPU."""
    errors, quantiles = [], []
    for rows, prediction in _predictions(ensemble, obs, actions):
        elites = prediction.members(ensemble.elites)
        true = torch.cat([rewards[rows, None], next_obs[rows] - obs[rows]], dim=1).to(elites.mean.device)
        missed = true[:, DELTA] - elites.mean.mean(dim=0)[:, DELTA]
        errors.append(torch.linalg.vector_norm(missed, dim=1).cpu())
        if ensemble.probabilistic:
            quantiles.append(mixture_quantile(elites, true).cpu())
    return Verdict(torch.cat(errors), torch.cat(quantiles) if quantiles else None)


def _predictions(ensemble: DynamicsModel, obs: Tensor, actions: Tensor) -> Iterator[tuple[slice, Prediction]]:
    device = ensemble.elites.device
    for start in range(0, len(obs), CHUNK):
        rows = slice(start, start + CHUNK)
        yield rows, ensemble.predict(obs[rows].to(device), actions[rows].to(device))
