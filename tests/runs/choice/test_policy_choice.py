import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offline_envs.runs import MetricsRow
from offline_envs.runs.choice import policy_choice
from offline_envs.runs.choice.policy_choice import CHOSEN_POLICY, PolicyChoice, best_row


@pytest.fixture(autouse=True)
def saved_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent is its name, and its policy's file holds that."""
    monkeypatch.setattr(policy_choice, "save_policy", lambda agent, path: path.write_text(agent))


def choice(path: Path, figures: Iterator[float], rows: Any = (), saved: Path | None = None) -> PolicyChoice:
    return PolicyChoice(path, lambda: next(figures), rows, saved=saved)


def consider(made: PolicyChoice, *agents: Any) -> list[float]:
    return [made.consider(agent) for agent in agents]


def row(steps: int, figure: float | None) -> MetricsRow:
    return MetricsRow(steps, 0, 0.0, 0.0, 0.0, None, None, 0.0, choice_figure=figure)


def test_the_policy_of_the_best_figure_is_kept(tmp_path: Path) -> None:
    path = tmp_path / CHOSEN_POLICY
    made = choice(path, iter([-5.0, -2.0, -3.0, -2.0]))
    assert consider(made, "a", "b", "c", "d") == [-5, -2, -3, -2]
    assert path.read_text() == "b"  # the first of equal ones


def test_a_figure_that_is_not_a_number_gives_way_to_any(tmp_path: Path) -> None:
    path = tmp_path / CHOSEN_POLICY
    made = choice(path, iter([math.nan, -9.0, math.nan]))
    consider(made, "a")
    assert path.read_text() == "a"
    consider(made, "b", "c")
    assert path.read_text() == "b"


def test_a_resumed_run_has_the_policy_of_its_checkpoint(tmp_path: Path) -> None:
    """A better one of a later evaluation is forgotten with that evaluation: it may turn out otherwise."""
    path, checkpoint = tmp_path / CHOSEN_POLICY, tmp_path / "checkpoint"
    checkpoint.mkdir()
    made = choice(path, iter([1.0, 0.5, 7.0]))
    consider(made, "a", "b")
    made.save(checkpoint)
    consider(made, "c")
    assert path.read_text() == "c"
    again = choice(path, iter([0.9, 2.0]), [row(1, 1.0), row(2, 0.5)], checkpoint / CHOSEN_POLICY)
    assert path.read_text() == "a"
    consider(again, "d")
    assert path.read_text() == "a"
    consider(again, "e")
    assert path.read_text() == "e"


def test_a_new_run_forgets_what_lies_there(tmp_path: Path) -> None:
    path = tmp_path / CHOSEN_POLICY
    path.write_text("old")
    made = choice(path, iter([-1e9]), saved=tmp_path / "none")
    assert not path.exists()
    made.save(tmp_path)  # there is nothing to save
    assert not path.exists()
    consider(made, "new")
    assert path.read_text() == "new"


def test_the_row_of_the_chosen_policy() -> None:
    rows = [row(1, 3.0), row(2, 5.0), row(3, math.nan), row(4, 5.0)]
    assert best_row(rows) is rows[1]
    assert best_row(rows[2:3]) is rows[2]
    assert best_row([row(1, None)]) is None
    assert best_row([]) is None
