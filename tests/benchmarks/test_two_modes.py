"""`benchmarks/two_modes.py`: a tiny run with its table, and figures derived by hand."""

from pathlib import Path
from typing import Any

import pytest
import typer

from offline_envs.runs import MetricsRow, RunFolder, TrainSettings, train
from tests.benchmarks.test_benchmarks import cells, script
from tests.runs.tiny import DEMO, tiny_settings


def written_run(folder: Path, seed: int, rows: list[tuple[int, float, float, float]]) -> None:
    """Settings and metrics of a run of 4 gradient steps whose average lasts for 1000 steps everywhere."""
    run = RunFolder(folder / f"today/seed-{seed}")
    run.create(tiny_settings(seed=seed, gradient_steps=4, agent="fastsac"))
    run.write_metrics(
        [
            MetricsRow(steps, 0, 5.0, 0.0, 1000.0, None, 1.0, 0.0, real, length, predicted)
            for steps, real, length, predicted in rows
        ]
    )


def test_figures_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of seed 0 one of the two checkpoints after step 2 lasts; of seed 1 both, one by its return."""
    two_modes = script_of(monkeypatch)
    written_run(tmp_path, 0, [(1, 10, 1000, 3), (2, 20, 950, 9), (3, 30, 899, 4), (4, 40, 900, 5)])
    written_run(tmp_path, 1, [(3, 200, 300, 2), (4, 100, 1000, 1)])
    two_modes.main(table=tmp_path, alive=900, bound=150.0)
    rows = cells(capsys.readouterr().out)
    assert rows == [
        ["today", "0", "4", "50%", "25 ± 11", "20", "2"],
        ["today", "1", "4", "100%", "150 ± 50", "200", "3"],
        ["today", "all", "", "75%", "88 ± 62", "110 ± 90", ""],
        ["today, average", "0", "4", "100%", "5 ± 0", "5", "1"],
        ["today, average", "1", "4", "100%", "5 ± 0", "5", "3"],
        ["today, average", "all", "", "100%", "5 ± 0", "5 ± 0", ""],
    ]


def test_a_run_that_has_not_reached_its_middle_has_no_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written_run(tmp_path, 0, [(1, 10, 1000, 3)])
    script_of(monkeypatch).main(table=tmp_path)
    assert cells(capsys.readouterr().out)[0][3] == "nan%"


def test_joined_variants_are_trained_and_resumed(
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    two_modes = script_of(monkeypatch)
    seen: list[TrainSettings] = []

    def tiny(settings: TrainSettings, folder: Path, **options: Any) -> Any:
        seen.append(settings)
        small = {"n_envs": 4, "horizon": 2, "transitions_per_gradient_step": 4.0, "final_episodes": 1}
        return train(
            TrainSettings.from_json({**settings.to_json(), **small}), folder, show_progress=False, **options
        )

    monkeypatch.setattr(two_modes, "train", tiny)
    options: dict[str, Any] = {"model": tiny_model, "dataset": DEMO, "output": tmp_path, "seed": 3}
    for _ in range(2):
        two_modes.main(
            variant="layer_norm+cosine", precision="bfloat16", steps=4, every=2, episodes=1, **options
        )
    assert seen[0].agent_options == {
        "actor_ema_decay": 0.999,
        "actor_schedule": "cosine",
        "critic_layer_norm": True,
        "precision": "bfloat16",
    }
    two_modes.main(
        variant="today", steps=4, every=2, episodes=1, average=False, choose="model_raw", **options
    )
    assert (seen[-1].choose, "actor_ema_decay" in seen[-1].agent_options) == ("model_raw", False)
    longer = two_modes.settings_of("horizon_25+cosine", dataset=DEMO)
    assert (longer.horizon, longer.agent_options["actor_schedule"]) == (25, "cosine")
    two_modes.main(table=tmp_path)
    rows = cells(capsys.readouterr().out)
    assert [row[:3] for row in rows] == [
        ["layer_norm+cosine", "3", "4"],
        ["layer_norm+cosine, average", "3", "4"],
        ["today", "3", "4"],
    ]
    assert all(row[4] != "nan ± nan" for row in rows)


def test_what_is_missing_or_unknown_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_modes = script_of(monkeypatch)
    with pytest.raises(typer.BadParameter, match="needs --model, --dataset and --output"):
        two_modes.main(model=tmp_path)
    with pytest.raises(typer.BadParameter, match=r"must be of today, .*, got 'cosin'"):
        two_modes.settings_of("cosin", dataset=DEMO)


def script_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    return script("two_modes", monkeypatch)
