"""The loss of a fit over several steps, in which members meet the errors of their own predictions.

A model that is fitted to single steps has seen recorded inputs only, and in a rollout it sees its own outputs
(exposure bias). Here every member follows windows of k recorded rows. After the first step, an input is the
member's own prediction with probability ε, else the recorded observation: scheduled sampling, in whose paper
(Bengio et al. 2015) ε is the probability of the recorded one. The target leads from whichever it is to the
recorded successor. The loss is the mean of the usual one over the steps of a window, which ends with its
episode.

With gradients through own inputs and ε = 1 this is the error of open-loop predictions over k steps. Without
them inputs count as given, as in Bengio et al. and in "data as demonstrator" (Venkatraman et al. 2015).

Own inputs are means, or samples as in RWM-U (arXiv 2504.16680), which is trained over 8 steps. The noise of
a sample has nothing to do with that of the recorded successor: members learn to distrust their inputs, as if
the data were noisier (Huszár 2015). Deviations of either are those of open-loop predictions: they include the
errors of the steps before.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.fitting.losses import row_loss
from offline_envs.dynamics.fitting.rows import Rows, generator_for
from offline_envs.dynamics.fitting.schedules import OWN_SCHEDULES
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.fitting.units import Units
from offline_envs.dynamics.fitting.windows import follow, successors
from offline_envs.dynamics.prediction import DELTA
from offline_envs.kernels import HIDDEN_DTYPES

_OWN = 4
"""Stream of a fit's random numbers; those of split, bootstrap, orders and spectral norm are 0 to 3."""


class OwnInputs(NamedTuple):
    """Which inputs of steps 2 to k are the members' own, and how far they are from the mean.

    Attributes:
        chosen: Whether the input is the member's own, bool `(k − 1, N, B)`.
        noise: Distance from the mean in predicted deviations, `(k − 1, N, B, d)`: standard normal, or zero.
    """

    chosen: Tensor
    noise: Tensor


class _Step(NamedTuple):
    """Predictions and targets of one step, `(N, B, 1 + d)`, and which windows it is inside of, `(N, B)`."""

    mean: Tensor
    logvar: Tensor | None
    target: Tensor
    present: Tensor


class MultiStep:
    """Windows of one part of the rows, and the members' rollouts along them.

    All is in standardised units. With x the observation that goes into a step and X the recorded one, both in
    deviations s of the observation, and steps in deviations σ around μ, the next own input is
    x + (σ·predicted + μ)/s, and the target is the recorded one plus (X − x)·s/σ.

    Args:
        rows: The rows, as `rows.train`.
        following: Position of each row's successor, see `Successors`.
        normalizer: Standardisation of the inputs.
        scaler: Standardisation of the targets; mean 0 and deviation 1 for raw ones.
        fit_settings: Number of steps, share of own inputs, and precision.
    """

    def __init__(
        self,
        rows: Rows,
        following: Tensor,
        normalizer: Normalizer,
        scaler: Normalizer,
        *,
        fit_settings: FitSettings,
    ) -> None:
        device = rows.train.device
        self._rows, self._following, self._settings = rows, following.to(device), fit_settings
        self._n_obs = len(scaler.mean) - 1
        self._units = Units.of(normalizer, scaler, device)

    def draw(self, index: Tensor, step: int, n_steps: int | None) -> OwnInputs:
        """Draw the own inputs of a gradient step; they depend on the seed and its number only.

        Args:
            index: First rows of the windows, int `(N, B)`.
            step: Number of gradient steps already taken.
            n_steps: Number of gradient steps of the whole fit, or None.
        """
        settings = self._settings
        share = settings.own_inputs * OWN_SCHEDULES[settings.own_schedule](step, n_steps)
        generator = generator_for(settings.seed, _OWN, step)
        shape = (settings.rollout_steps - 1, *index.shape)
        chosen = torch.rand(shape, generator=generator) < share
        noise = torch.zeros(1).expand(*shape, self._n_obs)
        if settings.own_kind == "sample":
            noise = torch.randn(noise.shape, generator=generator)
        return OwnInputs(chosen.to(index.device), noise.to(index.device))

    def loss(self, ensemble: EnsembleDynamics, index: Tensor, chosen: Tensor, noise: Tensor) -> Tensor:
        """Loss of each member, mean over all steps inside the windows that begin at `index`, `(N,)`."""
        dtype = HIDDEN_DTYPES[self._settings.precision]
        total, count = torch.zeros(len(index), device=noise.device), torch.zeros((), device=noise.device)
        for step in self._steps(ensemble, index, OwnInputs(chosen, noise), dtype):
            losses = row_loss(step.mean, step.logvar, step.target)
            total = total + torch.where(step.present, losses, 0.0).sum(dim=1)
            count = count + step.present.sum(dim=1)
        return total / count

    @torch.no_grad()
    def open_loop_error(self, ensemble: EnsembleDynamics) -> Tensor:
        """Mean squared error of each member that follows its own means from every row, `(N,)`.

        At `rollout_steps=1` it is the error of single steps.
        """
        shape = (ensemble.n_members, len(self._rows.train))
        device = self._rows.train.device
        index = torch.arange(shape[1], device=device).expand(shape)
        always = torch.ones(self._settings.rollout_steps - 1, *shape, dtype=torch.bool, device=device)
        own = OwnInputs(always, torch.zeros(1, device=device).expand(*always.shape, self._n_obs))
        total, count = torch.zeros(shape[0], device=device), torch.zeros(shape[0], device=device)
        for step in self._steps(ensemble, index, own, torch.float32):
            errors = row_loss(step.mean, None, step.target)
            total += torch.where(step.present, errors, 0.0).sum(dim=1)
            count += step.present.sum(dim=1)
        return total / count

    def _steps(
        self, ensemble: EnsembleDynamics, index: Tensor, own: OwnInputs, dtype: torch.dtype
    ) -> Iterator[_Step]:
        position, present = index, torch.ones_like(index, dtype=torch.bool)
        recorded, target = self._rows.batch(position)
        inputs = recorded
        for chosen, noise in zip(*own, strict=True):
            mean, logvar = ensemble(inputs, dtype=dtype)
            yield _Step(mean, logvar, self._target(target, recorded, inputs), present)
            position, present = follow(self._following, position, present)
            recorded, target = self._rows.batch(position)
            own_obs = self._after(inputs, mean, logvar, noise)
            obs = torch.where((chosen & present)[..., None], own_obs, recorded[..., : self._n_obs])
            inputs = torch.cat([obs, recorded[..., self._n_obs :]], dim=-1)
        mean, logvar = ensemble(inputs, dtype=dtype)
        yield _Step(mean, logvar, self._target(target, recorded, inputs), present)

    def _after(self, inputs: Tensor, mean: Tensor, logvar: Tensor | None, noise: Tensor) -> Tensor:
        """The member's own next observation, as standardised input, `(N, B, d)`."""
        delta = mean[..., DELTA]
        if logvar is not None:
            delta = delta + (logvar[..., DELTA] / 2).exp() * noise
        after = self._units.after(inputs[..., : self._n_obs], delta)
        return after if self._settings.own_gradient else after.detach()

    def _target(self, target: Tensor, recorded: Tensor, inputs: Tensor) -> Tensor:
        """What leads from `inputs` to the recorded successor, `(N, B, 1 + d)`."""
        ahead = (recorded - inputs)[..., : self._n_obs] / self._units.factor
        return torch.cat([target[..., :1], target[..., DELTA] + ahead], dim=-1)


class Windows(NamedTuple):
    """Windows of the training rows and of the holdout; None for a fit to single steps."""

    train: MultiStep | None = None
    holdout: MultiStep | None = None


def windows_of(
    transitions: Transitions,
    rows: Rows,
    *,
    normalizer: Normalizer,
    scaler: Normalizer | None,
    fit_settings: FitSettings,
) -> Windows:
    """Find the windows of a fit.

    Args:
        transitions: The dataset of the fit.
        rows: Its rows, standardised and on their device.
        normalizer: Standardisation of their inputs.
        scaler: Standardisation of their targets, None for raw ones.
        fit_settings: Settings of the fit.

    Raises:
        DatasetError: No row follows another.

    Warns:
        UserWarning: Windows are much shorter than `rollout_steps`.
    """
    if fit_settings.rollout_steps == 1:
        return Windows()
    scaler = scaler or Normalizer(1 + transitions.obs_dim).to(rows.train.device)
    following = successors(transitions, fit_settings)
    train, holdout = (
        MultiStep(Rows(part, part, rows.n_inputs), after, normalizer, scaler, fit_settings=fit_settings)
        for part, after in zip((rows.train, rows.holdout), following, strict=True)
    )
    return Windows(train, holdout)
