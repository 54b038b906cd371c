import math

import pytest
import typer

from tests.benchmarks.test_benchmarks import cells, script


def test_a_ratio_below_its_bound_is_named_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = script("guard", monkeypatch)
    ratios = {"a / b": 0.494, "c / d": 2.0, "e / f": 0.1}
    lines = guard.too_slow(ratios, {"a / b": 0.5, "c / d": 2.0})
    assert lines == ["Too slow: a / b is 0.49, and should be at least 0.50."]


def test_a_ratio_that_is_no_number_falls_short(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = script("guard", monkeypatch)
    assert len(guard.too_slow({"a / b": math.nan}, {"a / b": 0.5})) == 1


def test_every_bound_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound by another name would be a KeyError only when somebody runs the guard."""
    guard = script("guard", monkeypatch)
    assert list(guard.pairs("cpu")) == list(guard.BOUNDS)
    assert all(bound > 0 for bound in guard.BOUNDS.values())
    assert set(guard.CUDA_BOUNDS) < set(guard.BOUNDS)


def test_the_guard_fails_where_a_ratio_falls_short(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guard = script("guard", monkeypatch)
    nothing = guard.Pair(lambda: None, lambda: None, per=2.0)
    monkeypatch.setattr(guard, "pairs", lambda device: {"a / b": nothing, "c / d": nothing})
    monkeypatch.setattr(guard, "median_ratio", lambda *calls, rounds, device: 1.5)
    monkeypatch.setattr(guard, "BOUNDS", {"a / b": 3.0, "c / d": 3.1})
    with pytest.raises(typer.Exit) as stopped:
        guard.main(rounds=1, threads=0, device="cpu")
    assert stopped.value.exit_code == 1
    printed = capsys.readouterr()
    assert cells(printed.out) == [["a / b", "3.00", "3.00", "ok"], ["c / d", "3.00", "3.10", "too slow"]]
    assert printed.err == "Too slow: c / d is 3.00, and should be at least 3.10.\n"


def test_the_guard_passes_at_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = script("guard", monkeypatch)
    monkeypatch.setattr(guard, "pairs", lambda device: {"a / b": guard.Pair(lambda: None, lambda: None)})
    monkeypatch.setattr(guard, "median_ratio", lambda *calls, rounds, device: 3.0)
    monkeypatch.setattr(guard, "BOUNDS", {"a / b": 3.0})
    guard.main(rounds=1, threads=0, device="cpu")


def test_the_median_of_rounds_ignores_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reference and candidate take turns: 10 and 1 s at first, then 2 and 1, 3 and 1, 4 and 1."""
    timing = script("timing", monkeypatch)
    seconds = iter([10.0, 1.0, 2.0, 1.0, 3.0, 1.0, 4.0, 1.0])
    monkeypatch.setattr(timing, "seconds_of", lambda call: next(seconds))
    assert timing.median_ratio(lambda: None, lambda: None, rounds=3) == 3.0
