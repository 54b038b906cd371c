from pathlib import Path

from offline_envs.runs import RunFolder
from tests.cli.runner import fail, succeed
from tests.cli.test_train import arguments


def test_presets_are_listed_with_their_source() -> None:
    output = succeed("presets")
    assert "mopo/hopper-medium" in output
    assert "horizon=5" in output
    assert "Yu et al. 2020" in output


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
