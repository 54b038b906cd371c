import json
import shutil
from pathlib import Path

import minari
import numpy as np
import pytest

from offline_envs import load_transitions
from offline_envs.data.health import CHECKS
from offline_envs.dynamics import ensemble_folder, save_model
from tests.cli.runner import fail, succeed
from tests.data.tables.plants import COLUMNS, rows, write_csv
from tests.data.worlds import arrays
from tests.runs.test_plots import check_picture
from tests.runs.tiny import DEMO
from tests.toy import spreading_ensemble, toy_ensemble


def test_info_of_the_dataset_in_the_package() -> None:
    output = succeed("info", DEMO)
    assert "InvertedDoublePendulum-v5" in output
    assert "20,000 in 600 episodes" in output
    assert "█" in output


def test_minari_finds_the_dataset_in_the_package_after_the_line_that_info_prints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (line,) = (line for line in succeed("info", DEMO).splitlines() if "export" in line)
    name, _, folder = line.partition("export ")[2].partition("=")
    monkeypatch.setenv(name, folder)
    assert minari.load_dataset(DEMO).total_steps == 20_000


def test_info_names_the_columns_of_a_table(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "plant.csv", rows(flow=[1.0] * 7))
    (tmp_path / "plant.toml").write_text(
        'obs = ["level", "flow"]\naction = "valve"\nreward = "gain"\nepisode = "batch"\n'
        'terminated = "spilled"\n[units]\nlevel = "m"\n',
        encoding="utf-8",
    )
    output = succeed("info", path, "--columns", tmp_path / "plant.toml")
    assert "2 dimensions: level [m], flow" in output
    assert "flow: there is nothing to learn from what never changes" in output
    given = json.dumps({**COLUMNS, "obs": "level"})
    assert "1 dimensions: level" in succeed("info", path, "--columns", given)
    assert "--columns must be JSON" in fail("info", path, "--columns", "{obs}")
    assert "cannot be read" in fail("info", path, "--columns", tmp_path / "none.toml")


def test_info_of_a_file(toy_dataset: str, tmp_path: Path) -> None:
    """Episode e has the return −3 − 3e."""
    output = succeed("info", toy_dataset, "--plot", tmp_path / "new/returns.png")
    assert "mean -6.0 ± 2.4, best -3.0" in output
    assert "from -4.00 to -0.00" in output
    assert "unknown (pass --env-id)" in output
    check_picture(tmp_path / "new/returns.png")


def test_info_of_a_datasets_health(tmp_path: Path) -> None:
    """Every check has a row, whether it found something or not."""
    fields = arrays(actions=np.full((5, 1), 0.5), rewards=np.full(5, 2.0))
    np.savez(tmp_path / "still.npz", **fields)
    rows = {
        line.split("│")[1].strip(): line
        for line in succeed("info", tmp_path / "still.npz").splitlines()
        if "│" in line
    }
    assert set(CHECKS) <= set(rows)
    assert "rewards: there is nothing to learn" in rows["constant columns"]
    assert "action[0] never changes" in rows["action spread"]
    assert rows["duplicate steps"].split("│")[2].strip() == "ok"


def test_datasets_that_cannot_be_used(toy_dataset: str, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("text")
    assert "missing.npz" in fail("info", tmp_path / "missing.npz")
    assert "text.npz" in fail("info", tmp_path / "text.npz")
    assert "Nosuch-v0" in fail("info", toy_dataset, "--env-id", "Nosuch-v0")
    assert "Hopper-v5" in fail("info", toy_dataset, "--env-id", "Hopper-v5")


def test_info_of_a_model(toy_dataset: str, tmp_path: Path) -> None:
    """In deviations of √(2/3), members are 0, 1 and 2 apart: mean √1.5, deviation 1, largest 2·√1.5."""
    save_model(tmp_path / "model", spreading_ensemble())
    output = succeed("info", toy_dataset, "--model", tmp_path / "model")
    rows = [line.replace("│", " ").split() for line in output.splitlines()]
    for row in (
        ["mean", "1.225"],
        ["std", "1"],
        ["max", "2.449"],
        ["90.0%", "quantile", "2.449"],
        ["threshold", '{"mean_std":', "5}", "6.225", "0.00%"],
        ["threshold", '{"max_over":', "3}", "0.8165"],
    ):
        assert any(found[: len(row)] == row for found in rows), row


def test_info_of_another_disagreement(toy_dataset: str, tmp_path: Path) -> None:
    """The members' means are spread by x/2, 0 and −x/2 in one of three outputs, for x = 0, 1 and 2."""
    save_model(tmp_path / "model", spreading_ensemble())
    output = succeed("info", toy_dataset, "--model", tmp_path / "model", "--disagreement", "std")
    rows = [line.replace("│", " ").split() for line in output.splitlines()]
    largest = (4 / 6 / (2 / 3) / 3) ** 0.5
    assert any(row[:2] == ["max", f"{largest:.4g}"] for row in rows)
    assert "Var" in output
    assert "Unknown disagreement 'norm'" in fail("info", toy_dataset, "--disagreement", "norm")


def test_info_warns_of_a_model_of_other_data(toy_dataset: str, tmp_path: Path) -> None:
    """Its thresholds say how well it knows these data, not how well it was fitted."""
    save_model(tmp_path / "model", spreading_ensemble(), transitions=load_transitions(DEMO))
    with pytest.warns(UserWarning, match=f"model was fitted to .*{DEMO}', not to "):
        succeed("info", toy_dataset, "--model", tmp_path / "model")


def test_info_of_a_model_that_cannot_disagree(toy_dataset: str, tmp_path: Path) -> None:
    save_model(tmp_path / "model", toy_ensemble(((1.0, 1.0, 0.0),), ((1.0, 1.0, 1.0),), elites=(0,)))
    output = succeed("info", toy_dataset, "--model", tmp_path / "model")
    assert "mean -6.0 ± 2.4, best -3.0" in output
    assert output.splitlines()[-1].startswith("The model has a single member, which cannot disagree")


def test_info_finds_the_default_model_in_the_cache(toy_dataset: str, toy_model: str) -> None:
    assert "threshold" not in succeed("info", toy_dataset)
    shutil.copytree(toy_model, ensemble_folder(load_transitions(toy_dataset)))
    assert '{"quantile": 0.99}' in succeed("info", toy_dataset)


def test_a_model_that_cannot_be_used(toy_dataset: str, tiny_model: Path, tmp_path: Path) -> None:
    assert "9 observation and 1 action dimensions, but 2" in fail("info", toy_dataset, "--model", tiny_model)
    assert "is not a model" in fail("info", toy_dataset, "--model", tmp_path)
