"""Runs that begin by imitating a planner."""

from pathlib import Path
from typing import Any

import pytest

from offline_envs.errors import SettingsError
from offline_envs.runs import TrainSettings, train
from offline_envs.runs.algorithms import cloning
from offline_envs.runs.folder import RunFolder
from offline_envs.sb3 import Imitator
from tests.runs.tiny import ENSEMBLE, FIT, tiny_settings

PLANNER = "icem:horizon=2,candidates=4,elites=2,particles=1,iterations=1"


def imitating(**changes: Any) -> TrainSettings:
    own = {"clone_from": PLANNER, "clone_epochs": 1, "clone_rounds": 2, "clone_rows": 4, "clone_horizon": 3}
    return tiny_settings(**{"ensemble": ENSEMBLE, "fit": FIT, **own, **changes})


@pytest.mark.filterwarnings("ignore:On the holdout, the model predicts")
def test_a_run_imitates_a_planner_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Imitator] = []

    def kept(*arguments: Any, **options: Any) -> Imitator:
        made.append(Imitator(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(cloning, "Imitator", kept)
    train(imitating(), tmp_path, show_progress=False)
    (imitator,) = made
    assert imitator.rounds == 2
    assert len(imitator.demonstrations) == 2 * 4 * 3
    assert [row.gradient_steps for row in RunFolder(tmp_path).read_metrics()] == [0, 2, 4, 6]


def test_settings_of_older_runs_are_as_they_were() -> None:
    assert not any(name.startswith("clone_r") or name == "clone_from" for name in tiny_settings().to_json())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clone_epochs": 0}, "needs clone_epochs, the epochs of each fit to its actions, e.g. 20; got 0"),
        ({"clone_from": "unheard-of"}, "policy"),
        ({"clone_from": "uniform"}, "clone_from must be a planner, one of shooting, cem, .*got 'uniform'"),
        ({"clone_from": "icem:horizon=0"}, "horizon must be at least 1"),
        (
            {"clone_from": "mbop"},
            "builds on no other policy, as none is loaded for it, got 'mbop'. Leave prior out",
        ),
        ({"clone_from": "mppi:prior=uniform"}, "builds on no other policy"),
        ({"clone_from": None}, "clone_rounds, clone_rows, clone_horizon: only with clone_from"),
        ({"clone_rows": 0}, "clone_rows must be at least 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        imitating(**changes)
