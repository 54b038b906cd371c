from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from offline_envs.evaluation.model_error import ModelError
from offline_envs.runs.plots import (
    plot_learning_curve,
    plot_model_error,
    plot_predicted_return,
    plot_returns,
)
from offline_envs.runs.results import MetricsRow
from tests.toy import toy_transitions

ROWS = [MetricsRow(step, step, step / 2, 1.0, 9.0, None, float(step), 1.0) for step in (10, 20)]


def check_picture(path: Path) -> None:
    """Assert that it is a PNG with something in it, and that nothing else was left beside it."""
    picture = matplotlib.image.imread(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert np.ptp(picture[..., :3]) > 0.5
    assert list(path.parent.iterdir()) == [path]


def test_pictures_of_returns(tmp_path: Path) -> None:
    plot_learning_curve(ROWS, toy_transitions(), tmp_path / "a/curve.png")
    plot_predicted_return(ROWS, tmp_path / "b/predicted.png")
    plot_returns(toy_transitions(), tmp_path / "c/returns.png")
    for path in tmp_path.glob("*/*.png"):
        check_picture(path)


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_picture_of_the_models_error(scale: float, tmp_path: Path) -> None:
    """A deterministic model is sure of everything: a logarithmic axis would be empty and warn."""
    values = np.linspace(0, 1, 10_000, dtype=np.float32)
    plot_model_error(ModelError(scale * values, values), tmp_path / "error.png")
    check_picture(tmp_path / "error.png")
