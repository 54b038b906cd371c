import pytest
import torch

from tests.benchmarks.test_benchmarks import cells, script
from tests.toy import toy_ensemble, toy_transitions


def test_two_fits_are_compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("open_loop", monkeypatch)
    monkeypatch.setattr(benchmark, "STEPS", (1, 3))
    benchmark.main(rows=1500, epochs=4, k=2, members=2, only=[0, 1])
    rows = cells(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["single steps", "4"], ["over k, own means", "2"]]
    assert all(float(figure) > 0 for row in rows for cell in row[3:5] for figure in cell.split(", "))


def test_episodes_are_whole_and_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("open_loop", monkeypatch)
    data = toy_transitions()
    most, others = benchmark.apart(data, 0, 0.5)
    assert (len(most), len(others)) == (6, 3)
    assert most.episode_starts.tolist() == [0, 3]
    assert others.episode_starts.tolist() == [0]
    assert sorted([*most.obs[::3, 1].tolist(), *others.obs[::3, 1].tolist()]) == [0.0, 1.0, 2.0]


def test_errors_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members move obs₀ by 1.5 and obs₁ by 1 where the data move by 1 and 0, in deviations of 2 and 4."""
    benchmark = script("open_loop", monkeypatch)
    monkeypatch.setattr(benchmark, "STEPS", (1, 3))
    model = toy_ensemble(((0.0, 1.5, 1.0),) * 2, ((1.0,) * 3,) * 2, (0,))
    errors = benchmark.open_loop(model, toy_transitions(), torch.tensor([2.0, 4.0]), 0)
    for found, steps in zip(errors, (1, 3), strict=True):
        torch.testing.assert_close(found, torch.full((3,), 0.25 * steps), rtol=1e-4, atol=1e-5)
