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
