from pathlib import Path
from typing import Any

import pytest
import torch

from offline_envs.adversary import Adversary
from offline_envs.dynamics import load_model
from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.sb3 import SB3VecEnv
from tests.runs.test_training import interrupted
from tests.runs.tiny import ENSEMBLE, FIT, tiny_settings


def rambo_settings(**changes: Any) -> TrainSettings:
    return tiny_settings(
        **{
            "algorithm": "rambo",
            "adversary": {"batch_size": 8, "check_every": 1, "tolerance": 1e6},
            "adversary_every": 2,
            "ensemble": ENSEMBLE,
            "fit": FIT,
            **changes,
        }
    )


def counted_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of steps that adversaries have taken after each of their updates, from now on."""
    counts: list[int] = []
    update = Adversary.update

    def noted(self: Adversary, *arguments: Any) -> Any:
        report = update(self, *arguments)
        counts.append(self.n_steps)
        return report

    monkeypatch.setattr(Adversary, "update", noted)
    return counts


def test_the_model_moves_and_the_one_in_the_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = counted_steps(monkeypatch)
    moved: list[torch.Tensor] = []
    predicted = Adversary.save
    monkeypatch.setattr(
        Adversary,
        "save",
        lambda self, path: (moved.append(self.ensemble.heads[0].weight), predicted(self, path)),
    )
    result = train(rambo_settings(), tmp_path, show_progress=False)
    assert counts == [2, 4, 6]
    assert result.gradient_steps == 6
    kept = load_model(RunFolder(tmp_path).model).heads[0].weight
    assert not torch.equal(moved[-1].detach(), kept)  # type: ignore[arg-type]


def test_an_interrupted_adversary_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with interrupted(SB3VecEnv, "step_wait", at_call=5):  # after four gradient steps
        train(rambo_settings(), tmp_path, show_progress=False)
    counts = counted_steps(monkeypatch)
    train(rambo_settings(), tmp_path, resume=True, show_progress=False)
    assert counts == [6]


def test_an_update_that_was_interrupted_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with interrupted(Adversary, "_step", at_call=4):  # the second step of the second update
        train(rambo_settings(), tmp_path, show_progress=False)
    counts = counted_steps(monkeypatch)
    train(rambo_settings(), tmp_path, resume=True, show_progress=False)
    assert counts == [4, 6]


def test_wrong_settings_of_the_adversary_are_refused() -> None:
    with pytest.raises(SettingsError, match="Unknown setting of AdversarySettings 'weight'"):
        rambo_settings(adversary={"weight": 1.0})
    with pytest.raises(SettingsError, match="adversary_every must be at least 1, got 0"):
        rambo_settings(adversary_every=0)
