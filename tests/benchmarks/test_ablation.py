import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, TrainSettings
from tests.benchmarks.test_benchmarks import cells, script
from tests.runs.tiny import DEMO, FIT

SMALL: dict[str, Any] = {
    "ensemble": {"hidden": [8, 8]},
    "fit": FIT,
    "horizon": 2,
    "n_envs": 4,
    "transitions_per_gradient_step": 4.0,
    "eval_every": 2,
    "eval_episodes": 1,
    "final_episodes": 1,
    "agent_options": {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16},
    "penalty_coef": 3.0,
}


@pytest.fixture
def ablation(own_tables: None, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return script("ablation", monkeypatch)


def test_cells_differ_in_what_they_are_about_and_in_nothing_else(ablation: ModuleType) -> None:
    common = {"dataset": "a-v0", "penalty_coef": 3.0, "horizon": 7, "ensemble": {"hidden": [8]}}
    runs = {name: cell.settings(common, bound=2.0).to_json() for name, cell in ablation.CELLS.items()}
    assert all(isinstance(cell.settings(common), TrainSettings) for cell in ablation.CELLS.values())
    base = runs["mopo"]
    changed = {
        name: {key for key in run if run[key] != base.get(key)} - {"penalty_coef"}
        for name, run in runs.items()
    }
    assert changed == {
        "mopo": set(),
        "no-lip": {"ensemble"},
        "no-ens": {"ensemble"},
        "ens-pen": {"penalty"},
        "ens-pen-no-lip": {"penalty", "ensemble"},
        "no-pen": {"algorithm"},
        "mbpo": {"algorithm", "ensemble"},
        "mbpo-no-ens": {"algorithm", "ensemble"},
        "true-error": {"algorithm"},
        "true-error-no-lip": {"algorithm", "ensemble"},
    }
    assert base["ensemble"] == {"hidden": [8], "spectral_norm": True, "spectral_bound": 2.0}
    assert runs["mbpo-no-ens"]["ensemble"] == {
        "hidden": [8],
        "n_members": 1,
        "n_elites": 1,
        "spectral_norm": False,
    }
    paid = {name for name in runs if runs[name]["penalty_coef"] == 3.0}
    assert paid == set(runs) - {"no-pen", "mbpo", "mbpo-no-ens"}


@pytest.mark.filterwarnings("ignore:With spectral_bound")
def test_cells_are_run_once_and_shown(
    ablation: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = ablation.typer.Typer()
    app.command()(ablation.main)

    def call(*more: str) -> list[list[str]]:
        names = "mopo,mbpo-no-ens,true-error"
        start = (DEMO, "--folder", str(tmp_path), "--cells", names, "--steps", "4", "--seeds", "0")
        found = CliRunner().invoke(app, [*start, "--settings", json.dumps(SMALL), "--threads", "0", *more])
        assert found.exit_code == 0, found.output
        return cells(found.output)

    assert [row[4:] for row in call("--table")] == [["0", "", ""]] * 3
    rows = call()
    assert [row[:5] for row in rows] == [
        ["mopo", "yes", "yes", "learned variance", "1"],
        ["mbpo-no-ens", "no", "no", "none", "1"],
        ["true-error", "yes", "yes", "true error", "1"],
    ]
    for row in rows:
        run = RunFolder(tmp_path / row[0] / "seed-0")
        tail = [evaluation.real_return for evaluation in run.read_metrics()]
        assert float(row[5]) == round(run.result().real_return)
        assert float(row[6]) == round(sum(tail) / len(tail))
    monkeypatch.setattr(ablation, "run_cells", lambda *a: pytest.fail("--table runs nothing"))
    assert call("--table") == rows


def test_returns_are_spread_over_seeds(ablation: ModuleType) -> None:
    assert ablation.spread([1.0, 3.0]) == "2 ± 1"


def test_an_unknown_cell_is_refused(ablation: ModuleType) -> None:
    with pytest.raises(SettingsError, match=r"Unknown cell 'mopp'\. Valid: ens-pen, .*mopo"):
        ablation.chosen_cells("mopo,mopp", ablation.CELLS)
