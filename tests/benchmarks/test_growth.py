import math
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.benchmarks.test_benchmarks import script


def cost(growth: Any, size: int, seconds: float, peak: float | None = None, name: str = "step") -> Any:
    return growth.Cost(name, size, seconds, peak)


def test_exponents_between_neighbouring_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the size at ten times the seconds is 1; four times the size at 64 times the MiB is 3."""
    growth = script("growth", monkeypatch)
    costs = [cost(growth, 1, 0.5, 40.0), cost(growth, 10, 5.0, 40.0), cost(growth, 40, 5.0, 2560.0)]
    rows = growth.grown(costs)
    assert [row.time for row in rows] == [None, pytest.approx(1), pytest.approx(0)]
    assert [row.memory for row in rows] == [None, pytest.approx(0), pytest.approx(3)]


def test_operations_are_not_compared_with_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    growth = script("growth", monkeypatch)
    rows = growth.grown([cost(growth, 10, 1.0, name="a"), cost(growth, 10, 2.0, name="b")])
    assert [row.time for row in rows] == [None, None]


def test_small_peaks_have_no_exponent(monkeypatch: pytest.MonkeyPatch) -> None:
    growth = script("growth", monkeypatch)
    assert growth.exponents(cost(growth, 1, 1.0, 0.0), cost(growth, 10, 1.0, 50.0)) == (0.0, None)
    assert growth.exponents(cost(growth, 1, 1.0), cost(growth, 10, 1.0)) == (0.0, None)


def test_only_the_largest_size_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    growth = script("growth", monkeypatch)
    steep_early = growth.grown([cost(growth, 1, 1.0), cost(growth, 10, 100.0), cost(growth, 100, 900.0)])
    steep_late = growth.grown([cost(growth, 1, 1.0), cost(growth, 10, 9.0), cost(growth, 100, 140.0)])
    assert growth.too_fast(steep_early) == []
    assert growth.too_fast(steep_late) == [steep_late[-1]]
    [line] = growth.verdict({"rows": steep_late, "batch": steep_early})
    assert line == "step grows faster than rows to the power of 1.1."


def test_memory_is_judged_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    growth = script("growth", monkeypatch)
    rows = growth.grown([cost(growth, 10, 1.0, 40.0), cost(growth, 100, 1.0, 4000.0)])
    assert growth.too_fast(rows) == [rows[-1]]


@pytest.mark.parametrize(
    ("axis", "operations"), [("batch", 1), ("envs", 2), ("members", 4), ("rows", 9), ("dims", 2)]
)
def test_every_axis_is_measured(axis: str, operations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    growth = script("growth", monkeypatch)
    axes = script("growth_axes", monkeypatch)
    monkeypatch.setattr(axes, "BATCH", 50)
    monkeypatch.setattr(axes, "FIT_ROWS", 300)
    size = 600 if axis == "rows" else 3
    found = [growth.cost_of(operation, size, 0.0, "cpu") for operation in axes.AXES[axis][0](size, "cpu")]
    assert len({c.operation for c in found}) == operations
    assert all(c.size == size and math.isfinite(c.seconds) and c.seconds > 0 for c in found)
    assert all(c.extra_peak is None or 0 <= c.extra_peak < 1000 for c in found)


def test_a_table_an_axis_and_a_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    growth = script("growth", monkeypatch)
    monkeypatch.setattr(
        growth, "measured", lambda axis, size, *rest: [cost(growth, size, 0.002 * size, 40.0 * size)]
    )
    growth.main(axis=["batch", "dims"], largest_batch=10, largest_dims=30, plot=tmp_path / "growth.png")
    printed = capsys.readouterr().out
    rows = [line.split("│")[1:-1] for line in printed.splitlines() if line.startswith("│")]
    assert [cell.strip() for cell in rows[1]] == ["step", "10", "20.000", "1.00", "400.0", "1.00", ""]
    assert [row[1].strip() for row in rows] == ["1", "10", "3", "10", "30"]
    assert "nothing grows faster" in printed
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_axis_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    growth = script("growth", monkeypatch)
    with pytest.raises(typer.BadParameter, match="batch, envs, members, rows, dims, got 'colour'"):
        growth.main(axis=["colour"])
