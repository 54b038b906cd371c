from dataclasses import replace

from rich.console import Console
from rich.table import Table

from offline_envs.cli.terminal.tables import dataset_line, dataset_table, result_table
from offline_envs.runs import SeedResults, TrainResult
from tests.toy import toy_transitions

RESULT = TrainResult(
    seed=0,
    dataset_mean=10.0,
    dataset_best=20.0,
    predicted_return=31.0,
    real_return=30.0,
    real_std=2.0,
    n_episodes=20,
    normalized_score=50.0,
    score_source="somewhere",
    rank_correlation=None,
    n_exploded=0,
    gradient_steps=100,
)


def rows_of(table: Table) -> list[list[str]]:
    """Cells of each line that a table prints."""
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    lines = [line for line in capture.get().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_one_result_has_one_column() -> None:
    assert rows_of(result_table(SeedResults((RESULT,)), "title")) == [
        ["dataset: mean episode", "10"],
        ["dataset: best episode", "20"],
        ["predicted by the model", "31"],
        ["real, 20 episodes", "30 ± 2"],
        ["normalised score", "50.0"],
    ]


def test_seeds_are_averaged() -> None:
    """The mean of 30 and 40 is 35, their deviation 5; of scores 50 and 60, 55 and 5."""
    other = replace(RESULT, seed=1, real_return=40.0, normalized_score=60.0)
    rows = rows_of(result_table(SeedResults((RESULT, other)), "title"))
    assert rows[3] == ["real, 20 episodes", "30 ± 2", "40 ± 2", "35 ± 5"]
    assert rows[4] == ["normalised score", "50.0", "60.0", "55.0 ± 5.0"]


def test_a_chosen_policy_says_when_it_was_the_agents() -> None:
    chosen = replace(RESULT, chosen_by="model", chosen_step=80)
    rows = rows_of(result_table(SeedResults((chosen, replace(chosen, seed=1, chosen_step=20))), "title"))
    assert rows[3] == ["gradient steps, chosen by model", "80", "20", ""]


def test_without_a_reference_there_is_no_score() -> None:
    rows = rows_of(result_table(SeedResults((replace(RESULT, normalized_score=None),)), "title"))
    assert [row[0] for row in rows][-1] == "real, 20 episodes"


def test_a_dataset_in_a_table_and_in_a_line() -> None:
    cells = dict(row for row in rows_of(dataset_table(toy_transitions())) if len(row) == 2)
    assert cells["steps"] == "9 in 3 episodes"
    assert cells["episode length"] == "mean 3, from 3 to 3"
    line = dataset_line(toy_transitions())
    assert "toy, 9 steps in 3 episodes" in line
    assert "return -6.0 on average and -3.0 at best" in line
