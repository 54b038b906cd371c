import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_envs.data import loading, sources
from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, SeedResults, SeedRun, Spread, TrainSettings, run_seeds
from tests.runs.tiny import some_result


def test_mean_and_spread_over_seeds() -> None:
    """Of returns 4 and 8, and of scores 10 and 30."""
    values: Any = [(4.0, 10.0), (8.0, 30.0)]
    found = SeedResults(tuple(some_result(real_return=r, normalized_score=s) for r, s in values))
    assert (found.real_return, found.normalized_score) == (Spread(6.0, 2.0), Spread(20.0, 10.0))
    assert SeedResults((some_result(normalized_score=None),)).normalized_score is None


def test_each_seed_has_a_folder_and_one_dataset(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, started = loads(monkeypatch), list[SeedRun]()
    found = run_seeds(settings, [1, 4], tmp_path, show_progress=False, on_start=started.append)
    assert len(read) == 1
    assert [result.seed for result in found.results] == [1, 4]
    assert found.results == tuple(RunFolder(tmp_path / f"seed-{seed}").result() for seed in (1, 4))
    returns = [json.loads((tmp_path / f"seed-{s}/result.json").read_text())["real_return"] for s in (1, 4)]
    assert found.real_return.mean == pytest.approx(np.mean(returns))
    assert [(run.settings.seed, run.complete) for run in started] == [(1, False), (4, False)]
    started.clear()
    again = run_seeds(settings, [1, 4], tmp_path, resume=True, show_progress=False, on_start=started.append)
    assert again == found
    assert [run.complete for run in started] == [True, True]


def test_a_folder_that_cannot_be_used_is_refused_before_the_first_seed(
    settings: TrainSettings, tmp_path: Path
) -> None:
    (tmp_path / "seed-1").touch()
    with pytest.raises(SettingsError, match="seed-1 is a file"):
        run_seeds(settings, [0, 1], tmp_path, show_progress=False)
    assert not (tmp_path / "seed-0").exists()


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("seeds", [[], [0, 0]])
def test_no_seeds_and_the_same_seed_twice_are_refused_before_the_first_one(
    seeds: list[int], processes: int, settings: TrainSettings, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=rf"distinct, and at least one, got {re.escape(str(seeds))}\."):
        run_seeds(settings, seeds, tmp_path, processes=processes, show_progress=False)
    assert list(tmp_path.iterdir()) == []


def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Datasets that are loaded by id or path from now on, from files or from memory."""
    seen: list[Any] = []
    reader = sources.find_source

    def noted(dataset: Any, columns: Any) -> Any:
        seen.append(dataset)
        return reader(dataset, columns)

    monkeypatch.setattr(loading, "find_source", noted)
    return seen
