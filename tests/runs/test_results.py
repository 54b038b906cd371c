from dataclasses import replace
from pathlib import Path

import pytest

from offline_envs.errors import CheckpointError
from offline_envs.runs.results import MetricsRow, metrics_text, read_metrics

ROWS = [
    MetricsRow(20, 5000, 81.5, 0.5, 10.0, None, 2.0, 1.25),
    MetricsRow(40, 10_000, 90.0, 1.5, 12.5, 3.5, 4.0, 2.5),
]
TEXT = """\
gradient_steps,timesteps,real_return,real_std,real_length,normalized_score,predicted_return,seconds
20,5000,81.5,0.5,10.0,,2.0,1.25
40,10000,90.0,1.5,12.5,3.5,4.0,2.5
"""


def test_the_text_of_two_rows() -> None:
    assert metrics_text(ROWS) == TEXT


def test_figures_of_current_weights_have_columns_where_there_are_any(tmp_path: Path) -> None:
    averaged = replace(ROWS[1], current_return=80.0, current_length=11.0, current_predicted_return=5.0)
    header, *lines = metrics_text([ROWS[0], averaged]).splitlines()
    assert header == TEXT.splitlines()[0] + ",current_return,current_length,current_predicted_return"
    assert [line.split(",")[8:] for line in lines] == [["", "", ""], ["80.0", "11.0", "5.0"]]
    (tmp_path / "metrics.csv").write_text(metrics_text([ROWS[0], averaged]))
    assert read_metrics(tmp_path / "metrics.csv") == [ROWS[0], averaged]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    assert read_metrics(path) == []
    path.write_text(TEXT)
    assert read_metrics(path) == ROWS
    assert metrics_text(read_metrics(path)) == TEXT


@pytest.mark.parametrize("text", ["gradient_steps\n1\n", TEXT.replace("40,", "x,"), "a,b\n1,2\n"])
def test_a_damaged_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(CheckpointError, match=r"metrics\.csv cannot be read"):
        read_metrics(path)
