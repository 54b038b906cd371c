"""`FitReport`: course and outcome of a fit."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.errors import CheckpointError


@dataclass(frozen=True)
class FitReport:
    """Course and outcome of a fit.

    Attributes:
        epochs: Number of epochs.
        train_loss: Loss on the data in each epoch, mean over members and batches: `gaussian_nll` of
            probabilistic members, mean squared error of deterministic ones.
        holdout_history: Holdout mean squared error after each epoch, one value a member: with standardised
            targets in squared deviations of each output (predicting the mean gives 1), else in raw units. A
            fit over several steps has that of open-loop predictions, see `MultiStep.open_loop_error`.
        holdout_mse: Holdout mean squared error of the members' kept weights, N values.
        elites: Members of lowest `holdout_mse`, best first, E values.
        seconds: Time spent, over all sessions of an interrupted fit.
        n_train: Number of training rows.
        n_holdout: Number of holdout rows.
        stopped_by: `"patience"` or `"max_epochs"`.
        unexplained: Share of the holdout's variance of reward and each step of the observation that the mean
            of the elites leaves unexplained, 1 + d values: 0 is perfect, 1 no better than the mean.
    """

    epochs: int
    train_loss: tuple[float, ...]
    holdout_history: tuple[tuple[float, ...], ...]
    holdout_mse: tuple[float, ...]
    elites: tuple[int, ...]
    seconds: float
    n_train: int
    n_holdout: int
    stopped_by: str
    unexplained: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Every field by name, as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build the report from the values of `to_json`, also after a round trip through JSON.

        Raises:
            CheckpointError: The values are not those of a report.
        """
        try:
            report: dict[str, Any] = {
                name: tuple(v) if isinstance(v, list) else v for name, v in values.items()
            }
            report["holdout_history"] = tuple(tuple(row) for row in values["holdout_history"])
            return cls(**report)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"Not the report of a fit: {error}.") from error


NO_BETTER = 1.2
"""Share of the holdout's variance from which an output counts as predicted worse than by its mean."""


def warn_of_useless_outputs(report: FitReport, names: Sequence[str]) -> None:
    """Warn of outputs that the ensemble predicts worse than their mean does.

    Args:
        report: The report.
        names: Names of the outputs, see `output_names`.

    Warns:
        UserWarning: Which they are, and what may help.
    """
    poor = [f"{n} ({u:.2g})" for n, u in zip(names, report.unexplained, strict=False) if u > NO_BETTER]
    if poor:
        warnings.warn(
            f"On the holdout, the model predicts {', '.join(poor)} worse than the mean of the data does "
            "(unexplained share of the variance, 1 is the mean). It may be noise, or need more epochs or "
            "data; with standardize_targets=False, units far from 1 cause it.",
            stacklevel=5,  # past `_finished`, `fit` and the check of its arguments
        )


TOO_TIGHT = 0.1
"""Mean share of the holdout's variance from which spectral normalisation is suspected of causing it."""


def warn_of_tight_bound(report: FitReport, settings: EnsembleSettings) -> None:
    """Warn if a spectrally normalised ensemble leaves much of the data unexplained.

    Args:
        report: The report.
        settings: Shape of the ensemble.

    Warns:
        UserWarning: How much it is, and which larger bound to try.
    """
    if not settings.spectral_norm:
        return
    mean = sum(report.unexplained) / len(report.unexplained)
    if mean > TOO_TIGHT:
        bound = settings.spectral_bound
        warnings.warn(
            f"With spectral_bound={bound:g} the model leaves {mean:.0%} of the variance "
            f"of its outputs unexplained. Try spectral_bound={2 * bound:g} or spectral_norm=False; raw "
            "targets (standardize_targets=False) make the bound tighter still.",
            stacklevel=5,  # past `_finished`, `fit` and the check of its arguments
        )
