from typing import Any

import pytest
import torch

from offline_envs.dynamics import FitSettings, Holdout, fit, read_model_card, save_ensemble
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.fitting.rows import split_rows
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions


@pytest.mark.parametrize("more", [{}, {"holdout_share": 0.15}, {"rollout_steps": 4, "max_epochs": 2}])
def test_the_card_gives_exactly_the_rows_that_the_fit_held_out(more: dict[str, Any]) -> None:
    """Any other rows would make the calibration look better than it is."""
    transitions = linear_transitions(100)
    fit_settings = FitSettings(seed=7, holdout=15, **more)
    card = {
        "fit_settings": fit_settings.to_json(),
        "dataset": {"fingerprint": transitions.fingerprint, "source": "linear"},
    }
    found = Holdout.of(transitions, card, seed=0)
    normalizer = Normalizer(3)
    rows = split_rows(transitions, normalizer, fit_settings=fit_settings, device=torch.device("cpu"))
    assert (found.reason, found.name, len(found.rows)) == (None, "held-out steps", 15)
    assert torch.equal(transitions.rewards[found.rows], rows.holdout[:, 3])
    assert torch.equal(transitions.rewards[found.others], rows.train[:, 3])


def test_a_card_written_by_a_fit_is_understood(tmp_path: object) -> None:
    transitions = linear_transitions(100)
    ensemble, report = fit(transitions, TINY, fit_settings=QUICK, progress=False)
    save_ensemble(f"{tmp_path}/model", ensemble, transitions=transitions, fit_settings=QUICK, report=report)
    found = Holdout.of(transitions, read_model_card(f"{tmp_path}/model"), seed=0)
    assert found.reason is None
    assert len(found.rows) == report.n_holdout


def test_what_is_unknown_is_said() -> None:
    transitions = linear_transitions(100)
    found = Holdout.of(transitions, None, seed=3)
    assert found.reason is not None
    assert found.name == "steps that the fit may have seen"
    assert sorted([*found.rows.tolist(), *found.others.tolist()]) == list(range(100))
    assert torch.equal(found.rows, Holdout.of(transitions, None, seed=3).rows)
    card = {"fit_settings": FitSettings().to_json(), "dataset": {"fingerprint": "0", "source": "elsewhere"}}
    other = Holdout.of(transitions, card, seed=3).reason
    assert other == "the model was fitted to another dataset, elsewhere"
