"""`Supervision`: the loss that ties a model to its dataset while an adversary moves it."""

import warnings

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import (
    Bootstrap,
    EnsembleDynamics,
    FitSettings,
    Normalizer,
    Rows,
    bound_penalty,
    data_loss,
    output_scale,
    rows_of_fit,
    squared_error,
)
from offline_envs.errors import SettingsError

LARGEST_SHIFT = 1e-5
"""Largest distance from 0 of the mean of standardised training rows by rounding, in deviations."""


class Supervision:
    """The loss of the fit on batches of the rows that each member was fitted on, and the holdout error.

    It is that of fits to single steps, without VIPO's term, see `check_fit`.
    The L2 term of that loss is the optimiser's own decay, as in the fit; `OutputUnits` takes it in the fit's
    units.

    Args:
        ensemble: The fitted networks.
        transitions: The dataset that they were fitted to.
        fit_settings: Settings of the fit: with the same ones each member sees its own rows, and none of the
            holdout. RAMBO's release weighs the bounds with 0.001 in place of MOPO's 0.01, starts them at −6
            and 1 in place of −10 and 0.5, and standardises observations.
        batch_size: Rows of a batch for each member.

    Attributes:
        output_scale: Deviation of each output in the fit, `(1 + d,)`: ones if it was to raw targets.

    Raises:
        SettingsError: See `check_fit`.
        DatasetError: Too few rows for a holdout.

    Warns:
        UserWarning: The ensemble was fitted to other rows.
    """

    def __init__(
        self,
        ensemble: EnsembleDynamics,
        transitions: Transitions,
        *,
        fit_settings: FitSettings,
        batch_size: int,
    ) -> None:
        check_fit(fit_settings)
        self._ensemble, self._batch_size = ensemble, batch_size
        self._bound_weight = fit_settings.bound_weight
        self._rows = rows_of_fit(transitions, ensemble.normalizer, fit_settings=fit_settings)
        _check_rows(self._rows, ensemble.normalizer)
        self.output_scale = output_scale(self._rows, fit_settings)
        bootstrap = Bootstrap(
            ensemble.n_members,
            len(self._rows.train),
            seed=fit_settings.seed,
            replace=fit_settings.bootstrap,
        )
        self._drawn = bootstrap.drawn.to(self._rows.train.device)

    def loss(self, generator: torch.Generator) -> Tensor:
        """Loss of one batch of rows a member, summed over members, and the bounds' own term; a scalar."""
        shape = (self._ensemble.n_members, self._batch_size)
        chosen = torch.randint(self._drawn.shape[1], shape, generator=generator, device=self._drawn.device)
        inputs, targets = self._rows.batch(self._drawn.gather(1, chosen))
        mean, logvar = self._ensemble(inputs)
        return data_loss(mean, logvar, targets).sum() + bound_penalty(
            self._ensemble.bounds, self._bound_weight
        )

    @torch.no_grad()
    def holdout_mse(self) -> Tensor:
        """Holdout error of every elite, `(E,)`, in raw units."""
        inputs, targets = self._rows.scored()
        mean, _ = self._ensemble(inputs.expand(self._ensemble.n_members, -1, -1))
        return squared_error(mean, targets)[self._ensemble.elites]


def check_fit(fit_settings: FitSettings) -> None:
    """Refuse a fit whose loss an adversary cannot continue.

    Raises:
        SettingsError: A fit over several steps, or with VIPO's term.
    """
    if fit_settings.rollout_steps > 1 or fit_settings.value_weight:
        raise SettingsError(
            "An adversary ties the model to its data by the loss of single steps, so the fit must be one "
            f"with rollout_steps=1 and value_weight=0, got {fit_settings.rollout_steps} and "
            f"{fit_settings.value_weight:g}. Leave them out of the fit."
        )


def _check_rows(rows: Rows, normalizer: Normalizer) -> None:
    """Warn if the training rows are not those that the normaliser was fitted to, judged by their mean."""
    shift = rows.train[:, : rows.n_inputs].double().mean(dim=0).abs()
    allowed = LARGEST_SHIFT * (1 + normalizer.mean.abs() / normalizer.std)
    if bool((shift > allowed).any()):
        warnings.warn(
            "The model was fitted to other rows than the dataset and fit_settings= imply, so its holdout is "
            "not one here. Pass the FitSettings of the fit; offline_envs.dynamics.read_model_card(folder) "
            "has them for a saved model.",
            stacklevel=5,
        )
