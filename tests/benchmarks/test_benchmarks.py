import importlib
import math
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import typer
from typer.testing import CliRunner

from tests.toy import toy_transitions

FOLDER = Path(__file__).parents[2] / "benchmarks"


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a benchmark as if it had been started from its folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("COLUMNS", "200")
    return importlib.import_module(name)


def cells(printed: str) -> list[list[str]]:
    """The rows of a printed table, without its header."""
    lines = [line for line in printed.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def numbers(row: list[str]) -> list[float]:
    found = [re.sub(r"[,%x]", "", cell) for cell in row[1:] if cell]
    return [float(text) for text in found]


def test_model_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("model_step", monkeypatch)
    benchmark.main(batch=[1, 600], seconds=0.0, extra_memory=False)
    rows = cells(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["1", "600"]
    assert all(math.isfinite(n) and n > 0 for row in rows for n in numbers(row))


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")
def test_model_step_measures_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("model_step", monkeypatch)
    assert 0 <= benchmark.extra_peak_here(50) < 1000


def test_device_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("device_step", monkeypatch)
    benchmark.main(batch=[2, 300], device="cpu", steps=1, rounds=1, chunk=65_536)
    rows = cells(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [
        [precision, batch] for precision in ("float32", "tf32", "bfloat16") for batch in ("2", "300")
    ]
    assert all(n > 0 for row in rows for n in numbers(row))


def test_steps_with_one_kernel_have_the_same_goals(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("device", monkeypatch)
    seconds = {"graphs": 1e-4, "fused": 5e-5, "floor": 2.5e-5}
    measure = lambda precision, batch, **options: benchmark.Speed(precision, batch, seconds)  # noqa: E731
    monkeypatch.setattr(benchmark.device_step, "measure", measure)
    figures = {figure.name: figure[1:] for figure in benchmark.steps("cuda", benchmark.SMALL)}
    assert len(figures) == 3 * 2 * 2
    assert figures["step of 2 rows, tf32"] == pytest.approx((100, "µs", 100, 25))
    assert figures["step of 2 rows, tf32, fused"] == pytest.approx((50, "µs", 100, 25))
    assert figures["step of 300 rows, tf32, fused"] == pytest.approx((6e6, "rows/s", 30e6, 12e6))


def test_tiles_need_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("fused_tiles", monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(typer.BadParameter, match="CUDA device"):
        benchmark.main()


def test_every_tile_is_measured_beside_plain_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("fused_tiles", monkeypatch)
    found = benchmark.candidates(benchmark.EnsembleDynamics(17, 6), "bfloat16", 2, "cpu")
    assert list(found)[:3] == ["products", "layer by layer", str(benchmark.TILES["bfloat16"])]
    assert len(found) == 2 + len(benchmark.CANDIDATES)  # the one in use is among them


def test_device(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("device", monkeypatch)
    benchmark.main(device="cpu", dataset=benchmark.DEMO, small=True)
    rows = {row[0]: row[1:] for row in cells(capsys.readouterr().out)}
    assert len(rows) == 23
    assert rows["2 agents together, 10 episodes each"][1] == "2"
    assert rows["step of 2 rows, tf32"][1:3] == ["100", "no"]
    assert rows["step of 300 rows, bfloat16"][1] == "80,000,000"
    assert rows["PPO, PenalizedModel-v0, 3 members a step"][0].endswith("transitions/s")
    parts = [row for name, row in rows.items() if name.startswith("of which")]
    seconds = [float(row[0].removesuffix(" s").replace(",", "")) for row in parts]
    whole = float(rows["MOPO, a million gradient steps"][0].removesuffix(" s").replace(",", ""))
    assert sum(seconds) == pytest.approx(whole, rel=0.01)


def test_a_goal_is_reached_by_a_high_rate_or_a_short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("device", monkeypatch)
    figures = [benchmark.Figure("", value, unit, 5, 4) for value in (4, 6) for unit in ("s", "rows/s")]
    assert [figure.reached for figure in figures] == [True, False, False, True]
    assert [benchmark.share_of(figure) for figure in figures] == pytest.approx([1, 1, 2 / 3, 1.5])


def test_run_shares(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("run_shares", monkeypatch)
    benchmark.main(task=["hopper"], gradient_steps=4, n_envs=10, horizon=5)
    [row] = cells(capsys.readouterr().out)
    values = numbers(row)
    assert row[0] == "hopper"
    assert all(math.isfinite(n) and n > 0 for n in values)
    environment, buffer, _, policy, loop, gradient = values[:6]
    assert environment + buffer + policy + loop + gradient == pytest.approx(100, abs=0.5)


def test_planning(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("planning", monkeypatch)
    benchmark.main(candidates=50, particles=2, horizon=2, environment=["LearnedModel-v0"], seconds=0.0)
    [row] = cells(capsys.readouterr().out)
    assert row[:2] == ["LearnedModel-v0", "100"]
    assert all(math.isfinite(n) and n > 0 for n in numbers(row))


def test_ppo_in_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The penalty asks all seven members, the plain model its five elites."""
    benchmark = script("ppo_in_model", monkeypatch)
    monkeypatch.setattr(benchmark, "NETWORKS", {"hidden": (8,), "horizon": 2})
    benchmark.main(members=7, n_envs=6, iterations=1, device="cpu")
    rows = cells(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["PenalizedModel-v0", "7"], ["LearnedModel-v0", "5"]]
    rates, shares = zip(*(numbers(row)[1:] for row in rows), strict=True)
    assert all(rate > 0 for rate in rates)
    assert all(0 < share < 100 for share in shares)


@pytest.mark.filterwarnings("ignore:precision=.bfloat16. on a processor")
def test_agent_updates(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("agent_updates", monkeypatch)
    benchmark.main(task="hopper", updates=1, rounds=1)
    rows = cells(capsys.readouterr().out)
    names = [row[0] for row in rows]
    assert names[:4] == ["SAC", "FastSAC", "products", "PyTorch's products"]
    rounded = {name + benchmark.ROUNDED for name in ("FastSAC", "RAVL, η 1", "COMBO", "MOBILE")}
    assert {*benchmark.FLOORS, *benchmark.FLOORS.values()} | rounded == set(names[4:])
    assert all(math.isfinite(n) and n >= 0 for row in rows for n in numbers(row))
    assert numbers(rows[0])[1] == 1  # times itself
    assert numbers(rows[2])[2] == 100


def test_trpo_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("trpo_step", monkeypatch)
    benchmark.main(rows=200, rounds=1, threads=0)
    rows = cells(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["TRPO", "FastTRPO", "collecting"]
    assert all(math.isfinite(n) and n > 0 for row in rows for n in numbers(row))
    assert numbers(rows[0])[1] == 1  # times itself


def test_together(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("together", monkeypatch)
    benchmark.main(agents=2, envs=[10], steps=2, device="cpu")
    [[episodes, *figures]] = cells(capsys.readouterr().out)
    alone, both, ratio = numbers(["", *figures])
    assert episodes == "10"
    assert ratio == pytest.approx(both / alone, rel=0.02)
    assert benchmark.Seconds(2.0, 3.0).times_one == 1.5


def test_device_rollout(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("device_rollout", monkeypatch)
    benchmark.main(rows=[3, 8], horizon=2, device="cpu", seconds=0.0, threads=0)
    rows = cells(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["3", "8"]
    assert all(math.isfinite(n) and n > 0 for row in rows for n in numbers(row))
    cost = benchmark.Cost(4, 5, {"model step": 2.0, "policy": 1.0, "rollout": 4.5})
    assert cost.times_floor("rollout") == 1.5
    assert cost.nanoseconds("model step") == 1e8


def test_fit_throughput(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("fit_throughput", monkeypatch)
    benchmark.main(obs_dim=2, action_dim=1, rows=1500, rounds=1, threads=0, device="cpu", offlinerl_kit=None)
    rows = cells(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["products", "PyTorch's products", "offline-envs fit"]
    assert all(math.isfinite(n) and n > 0 for row in rows for n in numbers(row))


def test_consistency(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("consistency", monkeypatch)
    ensemble, fit = '{"hidden": [8], "n_members": 2, "n_elites": 2}', '{"max_epochs": 1}'
    small = {"ensemble": ensemble, "fit": fit, "discriminator": '{"steps": 20}'}
    options = {"model": None, "least": 0.6, "noise": 0.1, "seed": 0, "cache_dir": None, "threads": 0}
    benchmark.main(dataset=benchmark.EMBEDDED, starts=5, horizon=10, **small, **options)
    printed = capsys.readouterr().out
    rows = cells(printed)
    assert len(rows) == 4 * 5
    assert [row[0] for row in rows[:5]] == list(benchmark.methods("{}", 0.6))
    plain, below = numbers(rows[0]), numbers(rows[2])
    assert plain[3] == plain[5]  # compared with itself
    assert below[0] <= plain[0] <= 100
    assert "of recorded steps" in printed


def test_states_outside_the_data_by_more_than_a_tenth_are_implausible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The toy's observations lie in 0..3 and 0..2."""
    benchmark = script("consistency", monkeypatch)
    obs = torch.tensor([[0.0, 0.0], [3.29, 2.0], [3.31, 1.0], [1.0, -0.21], [torch.nan, 0.0]])
    assert benchmark.far_outside(obs, toy_transitions()).tolist() == [False, False, True, True, True]


def test_one_markdown_section_a_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    benchmark = script("all", monkeypatch)
    printed = "  Title\n┏━━━┳━━━┓\n┃ a ┃ b ┃\n┡━━━╇━━━┩\n│ 1 │ 2 │\n└───┴───┘\n"
    monkeypatch.setattr(benchmark, "printed", lambda command: printed)
    benchmark.main(output=tmp_path / "all.md", script=["model_step"])
    text = (tmp_path / "all.md").read_text(encoding="utf-8")
    assert text == "# Benchmarks\n\n## Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_several_tables_of_a_script_are_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("all", monkeypatch)
    one = "  First of\n  two\n┏━━━┓\n┃ a ┃\n┡━━━┩\n│ 1 │\n├───┤\n│ 2 │\n└───┘\n"
    text = benchmark.markdown(one + "Second\n┏━━━┓\n┃ b ┃\n┡━━━┩\n│ 3 │\n└───┘\nAll is well.\n")
    assert text == (
        "## First of two\n\n| a |\n| --- |\n| 1 |\n| 2 |\n\n"
        "## Second\n\n| b |\n| --- |\n| 3 |\n\nAll is well."
    )


@pytest.mark.parametrize(
    "name",
    [
        *("model_step", "device_step", "run_shares", "agent_updates", "device_rollout", "fit_throughput"),
        *("ppo_in_model", "trpo_step", "fused_tiles", "fit_to_error", "dataset_loading", "whole_run"),
        *("growth", "guard", "all", "consistency", "kit_scores", "method_scores"),
    ],
)
def test_every_option_is_explained(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command()(script(name, monkeypatch).main)
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "--help" in result.output
