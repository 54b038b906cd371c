import math
from pathlib import Path
from types import ModuleType

import pytest
import typer

from offline_envs.runs import MetricsRow, RunFolder
from tests.benchmarks.test_benchmarks import cells, script


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return script("choice_rules", monkeypatch)


def rows(real: list[float], predicted: list[float | None], figures: list[float | None]) -> list[MetricsRow]:
    return [
        MetricsRow(step, 0, value, 0.0, 0.0, None, forecast, 0.0, choice_figure=figure)
        for step, (value, forecast, figure) in enumerate(zip(real, predicted, figures, strict=True))
    ]


def test_what_each_rule_keeps(rules: ModuleType) -> None:
    """The model likes the second evaluation, the figure the first; NaN is no figure."""
    real, figures = [100.0, 300.0, 400.0, 200.0], [5.0, float("nan"), 4.0, None]
    found = rules.kept(rows(real, [1.0, 9.0, 2.0, 3.0], figures))
    assert list(found) == list(rules.RULES)
    best, last, mean, model, figure = found.values()
    assert (best, last, mean) == ((400, 1), (200, 0.5), (250, 0.625))
    assert (model, figure) == ((300, 0.75), (100, 0.25))


def test_only_the_last_ten_count_in_their_mean(rules: ModuleType) -> None:
    found = rules.kept(rows([1000.0] * 3 + [10.0] * 10, [None] * 13, [None] * 13))
    assert list(found.values()) == [(1000, 1), (10, 0.01), (10, 0.01), None, None]


def test_shares_are_averaged_where_they_exist(rules: ModuleType) -> None:
    assert rules.mean_share([(1.0, 0.5), None, (1.0, 0.7)]) == "60% of 2"
    assert rules.mean_share([(1.0, 0.5), (1.0, 0.7)]) == "60%"
    assert rules.mean_share([None]) == "-"
    assert (rules.cell(None), rules.cell((1234.6, 0.5))) == ("-", "1235 (50%)")


def test_runs_are_found_and_checkpoints_are_not(rules: ModuleType, tmp_path: Path) -> None:
    for name in ("a/seed-0", "b", "b/checkpoint"):
        RunFolder(tmp_path / name).write_metrics(rows([1.0], [None], [None]))
    assert list(rules.runs_in([tmp_path])) == ["a/seed-0", "b"]


def test_negative_returns_have_no_share(rules: ModuleType) -> None:
    value, share = rules.kept(rows([-3.0, -1.0], [None] * 2, [None] * 2))["last"]
    assert value == -1
    assert math.isnan(share)


def test_the_table_has_a_line_a_run(
    rules: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RunFolder(tmp_path / "run").write_metrics(rows([100.0, 50.0], [1.0, 2.0], [None, None]))
    rules.main([tmp_path], least=2)
    run, mean = cells(capsys.readouterr().out)
    assert run[1:] == ["2", "100 (100%)", "50 (50%)", "75 (75%)", "50 (50%)", "-"]
    assert mean[2:] == ["100%", "50%", "75%", "50%", "-"]
    with pytest.raises(typer.BadParameter, match="no run with at least 3 evaluations"):
        rules.main([tmp_path], least=3)
