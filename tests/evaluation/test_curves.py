from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from offline_envs.errors import DatasetError
from offline_envs.evaluation import EvaluationResult, LearningCurve, plot_curves
from offline_envs.evaluation.curves import read_seeds


def result(*returns: float) -> EvaluationResult:
    return EvaluationResult(np.array(returns), np.ones(len(returns), dtype=np.int64), None)


def test_a_curve_is_a_table_of_real_steps_and_returns(tmp_path: Path) -> None:
    """The mean of 1 and 3 is 2, their deviation 1."""
    curve = LearningCurve(tmp_path / "new" / "pets-seed0.csv")
    curve.add(100, result(1.0, 3.0))
    curve.add(200, result(5.0))
    text = "real_steps,real_return,real_std,n_episodes\n100,2.0,1.0,2\n200,5.0,0.0,1\n"
    assert curve.path.read_text() == text
    LearningCurve(tmp_path / "new" / "sac-seed0.csv").add(100, result(0.0))
    plot_curves(tmp_path / "new", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def write(folder: Path, name: str, points: Sequence[tuple[int, float]]) -> None:
    curve = LearningCurve(folder / f"{name}.csv")
    for steps, mean in points:
        curve.add(steps, result(mean))


def test_seeds_are_read_together_where_all_of_them_have_been(tmp_path: Path) -> None:
    """By hand: the second seed is half of the way from 2 to 6 at 200, and one ends at 300."""
    curves = {
        "pets-seed0": [(100, 1.0), (200, 3.0), (400, 5.0)],
        "pets-seed1": [(0, 0.0), (100, 2.0), (300, 6.0)],
    }
    for name, points in {**curves, "sac": [(50, 7.0)]}.items():
        write(tmp_path, name, points)
    found = read_seeds(tmp_path)
    assert list(found) == ["pets", "sac"]
    assert found["pets"].steps.tolist() == [100, 200]
    assert found["pets"].returns.tolist() == [[1, 3], [2, 4]]
    assert found["sac"].returns.tolist() == [[7]]
    plot_curves(tmp_path, tmp_path / "curves.png")


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no learning curves"):
        plot_curves(tmp_path, tmp_path / "curves.png")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match=r"other.csv is no learning curve; its columns must be real_steps"):
        plot_curves(tmp_path, tmp_path / "curves.png")


@pytest.mark.parametrize("text", ["", "real_steps,real_return,real_std,n_episodes\n"])
def test_a_file_without_an_evaluation_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "pets-seed0.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"pets-seed0.csv must hold an evaluation, .* it has none"):
        plot_curves(tmp_path, tmp_path / "curves.png")


@pytest.mark.parametrize("steps", [(200, 300), (40, 60)])
def test_seeds_without_common_steps_are_refused(steps: tuple[int, int], tmp_path: Path) -> None:
    """The second lies after the first, or between two of its evaluations: there would be nothing to draw."""
    write(tmp_path, "pets-seed0", [(0, 1.0), (100, 2.0)])
    write(tmp_path, "pets-seed1", [(n, 1.0) for n in steps])
    ranges = f"from 0 to 100, from {steps[0]} to {steps[1]} real steps"
    with pytest.raises(DatasetError, match=f"first seed of pets must have an evaluation .* {ranges}"):
        plot_curves(tmp_path, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
