"""Errors of a model along recorded episodes, and what the past tells of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import DynamicsModel
from offline_envs.evaluation import predict_in_chunks

LARGEST = 5.0
"""Bound at which residuals are cut [their predicted deviations]: a few outliers would decide everything."""

RIDGE = 1e-3
"""Weight of the squared coefficients of a regression on standardised columns."""


def standardized_residuals(
    model: DynamicsModel, transitions: Transitions, rows: Tensor, outputs: Sequence[int]
) -> Tensor:
    """True minus predicted outputs of some rows, in deviations of the elites' mixture.

    Members without a variance have residuals in their own deviation over the rows.

    Args:
        model: The model.
        transitions: The dataset.
        rows: Rows of it, int64 `(m,)`.
        outputs: Numbers of outputs of (reward, next_obs − obs), o of them.

    Returns:
        Float64 `(m, o)` on the CPU, from −`LARGEST` to `LARGEST`.
    """
    obs, actions = transitions.obs[rows], transitions.actions[rows]
    true = torch.cat([transitions.rewards[rows, None], transitions.next_obs[rows] - obs], dim=1).double()
    missed, deviations = [], []
    for part, prediction in predict_in_chunks(model, obs, actions):
        mean, std = (tensor[..., outputs].double().cpu() for tensor in prediction.members(model.elites))
        centre = mean.mean(dim=0)
        missed.append(true[part][:, outputs] - centre)
        deviations.append((std.square() + (mean - centre).square()).mean(dim=0).sqrt())
    residual, deviation = torch.cat(missed), torch.cat(deviations)
    if not model.probabilistic:
        deviation = residual.std(dim=0, correction=0).expand_as(residual)
    return (residual / deviation.clamp(min=1e-12)).clamp(-LARGEST, LARGEST)


def column_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's correlation of each column of `(m, o)` with the same one of another; 0 of a constant one."""
    a, b = (values - values.mean(dim=0) for values in (first, second))
    scale = (a.square().mean(dim=0) * b.square().mean(dim=0)).sqrt()
    return torch.where(scale > 0, (a * b).mean(dim=0) / scale.clamp(min=1e-300), 0.0)


def past_columns(transitions: Transitions, rows: Tensor, history: int) -> Tensor:
    """What a row can be told from: its observation and action, and those of `history − 1` steps before.

    Args:
        transitions: The dataset; of one with a history, earlier steps are the recorded ones.
        rows: Rows that are at least `history − 1` steps after their episode's start, int64 `(m,)`.
        history: Number of observations, k.

    Returns:
        Float64 `(m, ...)`, a row's own columns first.
    """
    recorded = transitions.newest
    parts = [transitions.obs[rows], transitions.actions[rows]]
    for lag in range(1, history):
        parts += [recorded.obs[rows - lag], recorded.actions[rows - lag]]
    return torch.cat(parts, dim=1).double()


def explained_share(columns: Tensor, values: Tensor, other_columns: Tensor, other_values: Tensor) -> Tensor:
    """Share of the variance of values that a linear regression fitted to other rows explains (R²).

    Args:
        columns: What the regression was not fitted to, `(m, c)`.
        values: Values there, `(m, o)`.
        other_columns: What it is fitted to, `(n, c)`.
        other_values: Values there, `(n, o)`.

    Returns:
        Float64 `(o,)`, at most 1; negative where the mean would do better.
    """
    std, mean = torch.std_mean(other_columns, dim=0, correction=0)
    scaled, other = ((part - mean) / std.clamp(min=1e-9) for part in (columns, other_columns))
    centre = other_values.mean(dim=0)
    products = other.T @ other / len(other) + RIDGE * torch.eye(other.shape[1], dtype=other.dtype)
    weights = torch.linalg.solve(products, other.T @ (other_values - centre) / len(other))
    missed = (values - centre - scaled @ weights).square().mean(dim=0)
    variance = values.var(dim=0, correction=0)
    return torch.where(variance > 0, 1 - missed / variance.clamp(min=1e-300), 0.0)
