from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.dynamics.ensemble.ensemble import APART_FROM

OBS_DIM, ACTION_DIM = 3, 2


def plainly(ensemble: EnsembleDynamics, member: int, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of one member in double precision, layer by layer as the papers write it."""
    state = {name: value.double() for name, value in ensemble.state_dict().items()}
    hidden = (inputs.double() - state["normalizer.mean"]) / state["normalizer.std"]
    for i in range(len(ensemble.trunk)):
        hidden = functional.silu(
            hidden @ state[f"trunk.{i}.weight"][member] + state[f"trunk.{i}.bias"][member]
        )
    mean, logvar = (
        hidden @ state[f"heads.{i}.weight"][member] + state[f"heads.{i}.bias"][member] for i in range(2)
    )
    logvar = state["bounds.high"] - functional.softplus(state["bounds.high"] - logvar)
    return mean[:, :], (state["bounds.low"] + functional.softplus(logvar - state["bounds.low"])).div(2).exp()


@pytest.mark.parametrize("n_rows", [1, 10, APART_FROM - 1, APART_FROM, APART_FROM + 45])
@pytest.mark.parametrize("members", [None, [2, 0]])
def test_every_way_to_compute_agrees_with_the_formula(n_rows: int, members: list[int] | None) -> None:
    ensemble = EnsembleDynamics(
        OBS_DIM, ACTION_DIM, settings=EnsembleSettings(n_members=4, n_elites=2, hidden=(16, 12))
    )
    ensemble.normalizer.mean.uniform_(-1, 1)
    ensemble.normalizer.std.uniform_(0.5, 2)
    obs, action = torch.randn(n_rows, OBS_DIM), torch.randn(n_rows, ACTION_DIM)
    found = ensemble.predict(obs, action, None if members is None else torch.tensor(members))
    assert found.mean.shape == found.std.shape == (len(members or range(4)), n_rows, 1 + OBS_DIM)
    for row, member in enumerate(members or range(4)):
        mean, std = plainly(ensemble, member, torch.cat([obs, action], dim=-1))
        torch.testing.assert_close(found.mean[row].double(), mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.std[row].double(), std, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_rows", [1, 2, 40, APART_FROM + 45])
def test_each_row_is_predicted_by_its_own_member(n_rows: int) -> None:
    ensemble = EnsembleDynamics(
        OBS_DIM, ACTION_DIM, settings=EnsembleSettings(n_members=4, n_elites=2, hidden=(16, 12))
    )
    obs, action = torch.randn(n_rows, OBS_DIM), torch.randn(n_rows, ACTION_DIM)
    member = torch.tensor([3, 0, 0, 1]).repeat(n_rows)[:n_rows]  # nobody asks member 2
    found = ensemble.predict_own(obs, action, member)
    assert found.mean.shape == found.std.shape == (n_rows, 1 + OBS_DIM)
    for row, of in enumerate(member.tolist()):
        mean, std = plainly(ensemble, of, torch.cat([obs[row : row + 1], action[row : row + 1]], dim=-1))
        torch.testing.assert_close(found.mean[row : row + 1].double(), mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.std[row : row + 1].double(), std, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("probabilistic", [True, False])
@pytest.mark.parametrize("separate_heads", [True, False])
def test_rescaled_outputs_are_shifted_and_scaled(probabilistic: bool, separate_heads: bool) -> None:
    settings = EnsembleSettings(
        n_members=2, n_elites=1, hidden=(8,), probabilistic=probabilistic, separate_heads=separate_heads
    )
    ensemble = EnsembleDynamics(OBS_DIM, ACTION_DIM, settings=settings)
    obs, action = torch.randn(5, OBS_DIM), torch.randn(5, ACTION_DIM)
    before = ensemble.predict(obs, action)
    shift, factor = torch.tensor([1.0, -2.0, 0.0, 5.0]), torch.tensor([1e-3, 1.0, 4.0, 100.0])
    ensemble.rescale_outputs(shift, factor)
    after = ensemble.predict(obs, action)
    torch.testing.assert_close(after.mean, before.mean * factor + shift, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(after.std, before.std * factor, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(
    ("given", "low", "high"), [({}, -10.0, 0.5), ({"logvar_bounds": (-6, 1)}, -6.0, 1.0)]
)
def test_bounds_of_the_log_variance_start_where_they_are_set(
    given: dict[str, Any], low: float, high: float
) -> None:
    bounds = EnsembleDynamics(OBS_DIM, ACTION_DIM, settings=EnsembleSettings(hidden=(4,), **given)).bounds
    assert bounds is not None
    assert bounds.low.tolist() == [low] * (1 + OBS_DIM)
    assert bounds.high.tolist() == [high] * (1 + OBS_DIM)
