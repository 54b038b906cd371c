"""The rows that an ensemble is fitted on: one standardised matrix, split into training and holdout."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics.ensemble.layers import ROUNDING, Normalizer
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.prediction import DELTA, REWARD
from offline_envs.errors import DatasetError

SMALLEST_HOLDOUT = 10
"""Fewest rows by which members are ranked."""


@dataclass(frozen=True)
class Rows:
    """Inputs and targets of every transition in one matrix, so that a batch is a single gather.

    Attributes:
        train: Training rows, float32 `(n_train, d + k + 1 + d)`: standardised (obs, action), then
            (reward, next_obs − obs), in raw units unless `standardize_targets` was called.
        holdout: Rows that no member is trained on, `(n_holdout, d + k + 1 + d)`.
        n_inputs: Number of inputs, d + k.
    """

    train: Tensor
    holdout: Tensor
    n_inputs: int

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the training rows `index`, int `(N, B)`: `(N, B, d + k)`, `(N, B, 1 + d)`."""
        gathered = self.train.index_select(0, index.reshape(-1)).view(*index.shape, -1)
        return gathered[..., : self.n_inputs], gathered[..., self.n_inputs :]

    def scored(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the holdout, `(1, n_holdout, d + k)` and `(1, n_holdout, 1 + d)`."""
        return self.holdout[None, :, : self.n_inputs], self.holdout[None, :, self.n_inputs :]


def generator_for(seed: int, *stream: int) -> torch.Generator:
    """Make a CPU generator for one purpose of a fit: equal arguments give equal numbers on every device."""
    state = np.random.SeedSequence([seed, *stream]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))


def holdout_size(n: int, fit_settings: FitSettings) -> int:
    """Return the number of holdout rows: the setting, at most `holdout_share` of the `n` rows.

    Raises:
        DatasetError: Too few rows for a holdout.
    """
    share = fit_settings.holdout_share
    smallest = math.ceil(SMALLEST_HOLDOUT / share)
    if n < smallest:
        raise DatasetError(
            f"A fit needs at least {smallest} transitions, of which holdout_share={share:g} score the "
            f"members; got {n}."
        )
    return min(fit_settings.holdout, int(share * n))


def split_index(n: int, fit_settings: FitSettings) -> tuple[Tensor, Tensor]:
    """Split a dataset into the rows that a fit trains on and the holdout: the same for the same seed.

    Blocks of `rollout_steps` rows stay together, but for one block if the sizes ask for it.

    Args:
        n: Number of rows of the dataset.
        fit_settings: Size of the holdout and of blocks, and the seed that chooses it.

    Returns:
        Training rows `(n - n_holdout,)`, blocks in random order, and holdout rows `(n_holdout,)`, int64 both.

    Raises:
        DatasetError: Too few rows for a holdout.
    """
    n_holdout = holdout_size(n, fit_settings)
    size = fit_settings.rollout_steps
    blocks = torch.randperm(math.ceil(n / size), generator=generator_for(fit_settings.seed, 0))
    order = (blocks[:, None] * size + torch.arange(size)).reshape(-1)
    order = order[order < n]  # the last block may be shorter
    return order[:-n_holdout], order[-n_holdout:]


def split_rows(
    transitions: Transitions, normalizer: Normalizer, *, fit_settings: FitSettings, device: torch.device
) -> Rows:
    """Shuffle the dataset, split off a holdout, and fit `normalizer` to the rest, in place.

    Args:
        transitions: The dataset, n rows.
        normalizer: Standardisation of (obs, action), still on the CPU.
        fit_settings: Size of the holdout, and the seed that chooses it.
        device: Device of the rows.

    Raises:
        DatasetError: Too few rows for a holdout.
    """
    rows = _raw_rows(transitions, fit_settings)
    normalizer.fit(rows.train[:, : rows.n_inputs])
    return _standardized(rows, normalizer, device)


def target_scaler(rows: Rows) -> Normalizer:
    """Mean and deviation of reward and steps of the observation over the training rows.

    What is constant in the whole dataset has a tiny deviation, so that the model invents no noise for it.
    """
    train, holdout = (part[:, rows.n_inputs :] for part in (rows.train, rows.holdout))
    scaler = Normalizer(train.shape[1]).to(train.device)
    scaler.fit(train)
    constant = (train == train[0]).all(dim=0) & (holdout == train[0]).all(dim=0)
    scaler.std.copy_(torch.where(constant, ROUNDING * scaler.mean.abs().clamp(min=1.0), scaler.std))
    return scaler


def output_scale(rows: Rows, fit_settings: FitSettings) -> Tensor:
    """Deviation of each output to which a fit to rows in raw units standardises, `(1 + d,)`, or ones."""
    if fit_settings.standardize_targets:
        return target_scaler(rows).std
    return torch.ones(rows.train.shape[1] - rows.n_inputs, device=rows.train.device)


def standardize_targets(rows: Rows) -> Normalizer:
    """Standardise the targets of `rows` in place by the training rows, and return what was done."""
    scaler = target_scaler(rows)
    for part in (rows.train, rows.holdout):
        part[:, rows.n_inputs :].sub_(scaler.mean).div_(scaler.std)
    return scaler


def rows_of_fit(transitions: Transitions, normalizer: Normalizer, *, fit_settings: FitSettings) -> Rows:
    """Return the rows that an ensemble was fitted on, bit-identical, by the normaliser of the fit.

    Args:
        transitions: The dataset of the fit, n rows.
        normalizer: The ensemble's own; the rows will be on its device.
        fit_settings: Settings of the fit; another seed or holdout gives another split.

    Raises:
        DatasetError: Too few rows for a holdout.
    """
    device = normalizer.mean.device
    twin = Normalizer(len(normalizer.mean))
    twin.load_state_dict(normalizer.state_dict())
    return _standardized(_raw_rows(transitions, fit_settings), twin, device)


def _raw_rows(transitions: Transitions, fit_settings: FitSettings) -> Rows:
    train, holdout = split_index(len(transitions), fit_settings)
    order, n_holdout = torch.cat([train, holdout]), len(holdout)
    d, n_inputs = transitions.obs_dim, transitions.obs_dim + transitions.action_dim
    rows = torch.empty(len(transitions), n_inputs + 1 + d)
    inputs, targets = rows[:, :n_inputs], rows[:, n_inputs:]
    inputs[:, :d], inputs[:, d:] = transitions.obs[order], transitions.actions[order]
    targets[:, REWARD] = transitions.rewards[order]
    targets[:, DELTA] = transitions.next_obs[order]
    targets[:, DELTA] -= inputs[:, :d]
    return Rows(rows[:-n_holdout], rows[-n_holdout:], n_inputs)


def _standardized(rows: Rows, normalizer: Normalizer, device: torch.device) -> Rows:
    """Standardise the inputs in place, then move all to `device`."""
    for part in (rows.train, rows.holdout):
        part[:, : rows.n_inputs].sub_(normalizer.mean).div_(normalizer.std)
    return Rows(rows.train.to(device), rows.holdout.to(device), rows.n_inputs)
