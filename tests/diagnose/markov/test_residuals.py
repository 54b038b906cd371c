"""Errors along episodes against values by hand and NumPy."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from offline_envs.data import with_history
from offline_envs.diagnose.markov.residuals import (
    column_correlation,
    explained_share,
    past_columns,
    standardized_residuals,
)
from offline_envs.dynamics import FunctionModel
from tests.hidden import mass_on_a_spring
from tests.toy import toy_ensemble, toy_transitions

ROWS = torch.tensor([1, 5])


def test_residuals_of_the_toys_by_hand() -> None:
    """True (reward, Δ) is (−1, 1, 0) at row 1 and (−3, 1, 0) at row 5.

    The elites have means (4, −1.5, 0), (1, 1.5, 0) and variances (1, 4, 4), (1, 1, 1): their mixture has mean
    (2.5, 0, 0) and variance (1 + 1.5², 2.5 + 1.5², 2.5).
    """
    found = standardized_residuals(toy_ensemble(), toy_transitions(), ROWS, (0, 1, 2))
    deviation = np.sqrt([3.25, 4.75, 2.5])
    expected = np.array([[-3.5, 1, 0], [-5.5, 1, 0]]) / deviation
    assert found.numpy() == pytest.approx(expected, abs=1e-5)
    assert standardized_residuals(toy_ensemble(), toy_transitions(), ROWS, (1,)).numpy() == pytest.approx(
        expected[:, 1:2], abs=1e-5
    )


def test_outliers_are_cut() -> None:
    def sure(obs: Tensor, action: Tensor) -> tuple[Normal, Tensor]:
        return Normal(obs, 1e-3), action[:, 0]

    found = standardized_residuals(FunctionModel(sure, 2, 1), toy_transitions(), ROWS, (1, 2))
    assert found.tolist() == [[5, 0], [5, 0]]


def test_without_a_variance_residuals_have_their_own_deviation() -> None:
    """Rewards −1 and −3 against 0: residuals ∓1 from their mean of −2, hence −1 and −3 in deviations of 1."""

    def sure(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        return obs, 0 * action[:, 0]

    found = standardized_residuals(FunctionModel(sure, 2, 1), toy_transitions(), ROWS, (0, 2))
    assert found.tolist() == [[-1, 0], [-3, 0]]


def test_correlations_are_numpys() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(50, 3))
    b = 0.5 * a + rng.normal(size=(50, 3))
    b[:, 2] = 7
    found = column_correlation(torch.from_numpy(a), torch.from_numpy(b)).tolist()
    expected = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(2)]
    assert found == pytest.approx([*expected, 0])


def test_the_past_of_a_row_is_that_of_its_history() -> None:
    data = mass_on_a_spring(hidden=False, n_episodes=2, n_steps=10)
    rows = torch.tensor([3, 9, 17])
    stacked = with_history(data, 3)
    d = data.obs_dim
    found = past_columns(data, rows, 3)
    assert found[:, :d].float().equal(data.obs[rows])
    assert found[:, d : d + 1].float().equal(data.actions[rows])
    past = stacked.obs[rows, d:]  # action, observation, action, observation
    order = [1, 2, 0, 4, 5, 3]  # observation, action, …
    assert found[:, d + 1 :].float().equal(past[:, order])
    assert past_columns(stacked, rows, 1)[:, :-1].float().equal(stacked.obs[rows])


def test_explained_shares_on_paper() -> None:
    """A linear function is explained, the half of another's variance, and of noise nothing."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 3))
    y = np.stack([2 * x[:, 0] - x[:, 1] + 5, x[:, 2] + rng.normal(size=4000), rng.normal(size=4000)], axis=1)
    columns, values = torch.from_numpy(x), torch.from_numpy(y)
    found = explained_share(columns[:2000], values[:2000], columns[2000:], values[2000:]).tolist()
    assert found == pytest.approx([1, 0.5, 0], abs=0.05)
    still = torch.zeros(2000, 1, dtype=torch.float64)
    assert explained_share(columns[:2000], still, columns[2000:], still).tolist() == [0]
