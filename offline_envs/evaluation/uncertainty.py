"""Uncertainty of an ensemble on given pairs of observation and action."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.dynamics import (
    DISAGREEMENTS,
    MAX_DISTANCE,
    MEASURES,
    DynamicsModel,
    Prediction,
    n_compared,
)
from offline_envs.evaluation.chunks import predict_in_chunks


@dataclass(frozen=True)
class Uncertainty:
    """Uncertainty of an ensemble on `m` pairs of observation and action.

    Attributes:
        by_measure: u of each measure by its name, float32 `(m,)`, before the coefficient.
        disagreement: How far the means of all members are apart, in deviations of the data, `(m,)`;
            `PessimisticModel-v0` compares it with its threshold.
    """

    by_measure: Mapping[str, Tensor]
    disagreement: Tensor


def usable_measures(ensemble: DynamicsModel, n_measured: int) -> list[str]:
    """Names of the measures that are not identically zero for `n_measured` members of an ensemble."""
    probabilistic = ensemble.probabilistic
    return [n for n, m in MEASURES.items() if m.is_informative(n_measured, probabilistic=probabilistic)]


def measured_members(ensemble: DynamicsModel, prediction: Prediction, members: str) -> Prediction:
    """The predictions that a measure reads: those of `"all"` members or of the `"elites"`."""
    return prediction if members == "all" else prediction.members(ensemble.elites)


def measure_uncertainty(
    ensemble: DynamicsModel,
    obs: Tensor,
    actions: Tensor,
    *,
    members: str,
    scale: Tensor,
    disagreement: str = MAX_DISTANCE,
) -> Uncertainty:
    """Apply every usable measure to an ensemble's predictions.

    Args:
        ensemble: The model, on any device.
        obs: Observations, float32 `(m, d)`, on the CPU.
        actions: Actions, float32 `(m, k)`.
        members: Members that the measures read, `"all"` or `"elites"`; the disagreement reads all.
        scale: Deviation of each output that the disagreement compares, its unit: `(d,)` by default.
        disagreement: Its name, see `DISAGREEMENTS`.

    Raises:
        SettingsError: An unknown name.
    """
    apart = DISAGREEMENTS.find(disagreement)
    unit = scale.to(ensemble.device)
    names = usable_measures(ensemble, n_compared(ensemble, members))
    by_measure: dict[str, list[Tensor]] = {name: [] for name in names}
    found = []
    for _, prediction in predict_in_chunks(ensemble, obs, actions):
        read = measured_members(ensemble, prediction, members)
        for name in names:
            by_measure[name].append(MEASURES[name](read).cpu())
        found.append(apart(prediction, unit).cpu())
    return Uncertainty({name: torch.cat(parts) for name, parts in by_measure.items()}, torch.cat(found))
