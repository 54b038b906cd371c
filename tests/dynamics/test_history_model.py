"""A model of the newest observation as one of whole histories, and what it gains where a state is hidden."""

import torch
from torch import Tensor

from offline_envs.data import HistoryLayout, with_history
from offline_envs.dynamics import (
    EnsembleDynamics,
    EnsembleSettings,
    FitSettings,
    FunctionModel,
    HistoryModel,
    MaskedModel,
    fit,
    has_saved_form,
    model_rows,
)
from tests.hidden import mass_on_a_spring
from tests.toy import toy_transitions

LAYOUT = HistoryLayout(history=3, obs_dim=1, action_dim=1)
OBS = torch.tensor([[5.0, 0.5, 4.0, 0.25, 3.0]])
ACTION = torch.tensor([[1.0]])


def delayed(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """Two members: obs' = obs + the action of two steps ago, or one more; reward: the oldest observation."""
    moved = obs + action[:, 3:4]  # action, one before, its observation, the oldest action, its observation
    return torch.stack([moved, moved + 1]), action[:, 4]


def model() -> HistoryModel:
    return HistoryModel(FunctionModel(delayed, 1, 5), LAYOUT)


def test_the_newest_is_predicted_and_the_rest_moves() -> None:
    """From 5, (0.5, 4), (0.25, 3) by action 1: 5.25 or 6.25, (1, 5), (0.5, 4)."""
    found = model().predict(OBS, ACTION)
    assert (OBS + found.mean[0, :, 1:]).tolist() == [[5.25, 1.0, 5.0, 0.5, 4.0]]
    assert (OBS + found.mean[1, :, 1:]).tolist() == [[6.25, 1.0, 5.0, 0.5, 4.0]]
    assert found.mean[:, 0, 0].tolist() == [3.0, 3.0]
    assert found.std.tolist() == torch.zeros(2, 1, 6).tolist()


def test_members_and_own_predictions_are_those_of_all() -> None:
    every = model().predict(OBS, ACTION)
    assert model().predict(OBS, ACTION, torch.tensor([1])).mean.equal(every.mean[1:])
    assert model().predict_own(OBS, ACTION, torch.tensor([1])).mean.equal(every.mean[1])
    settings = EnsembleSettings(n_members=2, n_elites=2, hidden=(8,))
    ensemble = HistoryModel(EnsembleDynamics(1, 5, settings=settings, seed=0).eval(), LAYOUT)
    own, of_all = ensemble.predict_own(OBS, ACTION, torch.tensor([1])), ensemble.predict(OBS, ACTION)
    assert own.mean.allclose(of_all.mean[1])
    assert own.std.allclose(of_all.std[1])
    assert own.std[0, 2:].tolist() == [0, 0, 0, 0]


def test_it_is_a_model_like_others() -> None:
    found = model()
    assert (found.obs_dim, found.action_dim, found.n_members, found.probabilistic) == (5, 1, 2, False)
    assert not has_saved_form(found)
    masked = MaskedModel(found.copy().to("cpu"), [2, 3, 4, 5])
    assert masked.predict(OBS, ACTION).mean.equal(found.predict(OBS, ACTION).mean)
    assert HistoryModel.fits(found.model, LAYOUT)
    assert not HistoryModel.fits(found, LAYOUT)


def test_a_model_is_fitted_to_the_newest_and_sees_the_rest() -> None:
    data = toy_transitions()
    assert model_rows(data) is data
    stacked = with_history(data, 2)
    rows = model_rows(stacked)
    assert rows.obs.equal(data.obs)
    assert rows.next_obs.equal(data.next_obs)
    assert torch.cat([rows.obs, rows.actions[:, 1:]], dim=1).equal(stacked.obs)
    assert rows.actions[:, :1].equal(data.actions)
    assert rows.action_space.shape == (4,)


def test_a_history_shows_what_is_hidden() -> None:
    """Two positions tell the velocity up to the noise of 0.05; one tells little of it."""
    hidden = mass_on_a_spring(hidden=True, n_episodes=40)
    settings = EnsembleSettings(n_members=2, n_elites=2, hidden=(32, 32))
    fit_settings = FitSettings(max_epochs=6, batch_size=64, learning_rate=5e-3)
    unexplained = [
        fit(data, settings, fit_settings=fit_settings, progress=False).report.unexplained[1]
        for data in (hidden, with_history(hidden, 2))
    ]
    assert unexplained[0] > 0.5
    assert unexplained[1] < 0.1
