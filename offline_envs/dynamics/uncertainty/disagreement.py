"""`DisagreementStats`: statistics of the disagreement of members on a dataset."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics.model import DynamicsModel, ModelShape, check_members, n_compared
from offline_envs.dynamics.uncertainty.distances import DISAGREEMENTS, MAX_DISTANCE
from offline_envs.dynamics.uncertainty.over_data import check_finite, over_dataset
from offline_envs.dynamics.uncertainty.unknown import disagreement_scale
from offline_envs.errors import SettingsError

GRID = tuple(np.concatenate([np.arange(1000) / 1000, 1 - np.arange(9, 0, -1) / 10_000, [1.0]]).tolist())
"""Levels of the stored quantiles: steps of 0.1 %, and of 0.01 % in the last 0.1 %."""


@dataclass(frozen=True)
class DisagreementStats:
    """Statistics of the members' disagreement over the pairs of obs and action of a dataset.

    Attributes:
        n: Number of pairs.
        mean: Their average disagreement.
        std: Standard deviation (division by n).
        max: The largest.
        quantiles: Quantiles at the levels of `GRID`.
    """

    n: int
    mean: float
    std: float
    max: float
    quantiles: tuple[float, ...]

    @classmethod
    def of(cls, disagreement: NDArray[np.float32]) -> Self:
        """Summarise the disagreements of all pairs, `(n,)`.

        Raises:
            SettingsError: One of them is not finite.
        """
        values = disagreement.astype(np.float64)
        check_finite(values)
        quantiles = tuple(np.quantile(values, GRID).tolist())
        return cls(len(values), float(values.mean()), float(values.std()), float(values.max()), quantiles)

    def quantile(self, level: float) -> float:
        """The quantile of a level between 0 and 1, interpolated between the stored ones."""
        return float(np.interp(level, GRID, self.quantiles))

    def share_above(self, threshold: float) -> float:
        """Share of the pairs that disagree more, as far as the stored quantiles resolve it."""
        return 1 - float(np.interp(threshold, self.quantiles, GRID))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            ValueError: Another number of quantiles.
            TypeError: Other names.
        """
        stats = cls(**{**values, "quantiles": tuple(values["quantiles"])})
        if len(stats.quantiles) != len(GRID):
            raise ValueError(f"{len(stats.quantiles)} quantiles instead of {len(GRID)}")
        return stats


def dataset_disagreement(
    model: DynamicsModel,
    transitions: Transitions,
    *,
    members: str = "all",
    units: str = "std",
    disagreement: str = MAX_DISTANCE,
) -> NDArray[np.float32]:
    """Disagreement on each (obs, action) of a dataset, float32 `(n,)`, computed in chunks.

    Args:
        model: The model, on any device.
        transitions: The dataset.
        members: Members that are compared: `"all"` (MOReL) or `"elites"`.
        units: See `disagreement_scale`.
        disagreement: Name of the disagreement, see `DISAGREEMENTS`.

    Raises:
        SettingsError: Another choice of members or units, or an unknown name.
    """
    index = compared_members(model, members)
    apart = DISAGREEMENTS.find(disagreement)
    scale = disagreement_scale(transitions, units, disagreement).to(model.device)
    return over_dataset(model, transitions, index, lambda prediction: apart(prediction, scale))


def compared_members(model: DynamicsModel, members: str) -> Tensor | None:
    """Index of the members that are compared, int64 `(M,)`, or None for all.

    Raises:
        SettingsError: A choice other than `"all"` or `"elites"`, or a single member.
    """
    check_comparable(model, members)
    return None if members == "all" else model.elites


def check_comparable(shape: ModelShape, members: str, *, setting: str = "members") -> None:
    """Refuse a choice of members that cannot disagree.

    Args:
        shape: A model, or the settings of an ensemble that is not fitted yet.
        members: Members that are compared.
        setting: Name of the setting that chose them, for messages.

    Raises:
        SettingsError: A choice other than `"all"` or `"elites"`, or a single member.
    """
    check_members(setting, members)
    if n_compared(shape, members) < 2:
        raise SettingsError(
            f"A disagreement needs at least two members, but a single one is compared. Use {setting}='all' "
            "or an ensemble of more members (ensemble={'n_members': ..., 'n_elites': ...})."
        )
