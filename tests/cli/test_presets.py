from pathlib import Path

import pytest

from offline_envs.cli.terminal import seeds
from offline_envs.runs import RunFolder, TrainSettings
from tests.cli.runner import fail, succeed
from tests.cli.test_train import arguments
from tests.runs.tiny import DEMO


def test_options_go_before_the_preset_and_the_preset_before_defaults(
    tiny_model: Path, tmp_path: Path
) -> None:
    """The tiny run takes 4 gradient steps and a horizon of 2; λ = 5 can only come from the preset."""
    succeed(*arguments(tiny_model, tmp_path, "--preset", "mopo/hopper-medium"))
    settings = RunFolder(tmp_path / "seed-0").settings()
    assert (settings.penalty_coef, settings.horizon, settings.gradient_steps) == (5.0, 2, 4)


def test_an_unknown_preset_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    assert "Unknown preset 'mopo/ant'" in fail(
        *arguments(tiny_model, tmp_path / "run", "--preset", "mopo/ant")
    )
    assert not (tmp_path / "run").exists()


def test_a_preset_keeps_what_is_not_changed_and_gives_way_to_a_model(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preset's fit has nothing to say about a model that is there."""
    seen: list[TrainSettings] = []
    monkeypatch.setattr(seeds, "run_and_print", lambda settings, *a, **k: seen.append(settings))
    changed = '{"adversary": {"check_every": 50}}'
    succeed("train", DEMO, "--preset", "rambo/walker2d-medium", "--settings", changed)
    succeed("train", DEMO, "--preset", "rambo/walker2d-medium", "--model", tiny_model)
    assert dict(seen[0].adversary) == {"adv_weight": 0.0, "skip_if_zero": True, "check_every": 50}
    assert seen[0].fit["patience"] == 10
    assert seen[1].fit == {}


def test_a_preset_of_another_algorithm_is_refused() -> None:
    assert "is for --algo mopo: leave --algo out" in fail(
        "train", DEMO, "--preset", "mopo/hopper-medium", "--algo", "morel"
    )
