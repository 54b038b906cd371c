"""`OnEvaluation`: a user's function that is given each evaluation of a run, and may stop it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from offline_envs.errors import SettingsTypeError
from offline_envs.runs.results import MetricsRow

OnEvaluation = Callable[[Mapping[str, Any], Path], object]
"""`on_evaluation(row, folder)`: called after each evaluation with its row of `metrics.csv`, the fields of
`MetricsRow` by name, and the folder of the run, in which this row and the policy are written by then. What it
returns is ignored. What it raises stops the run, which can be resumed."""


def check_callbacks(callbacks: Sequence[OnEvaluation]) -> None:
    """Refuse what cannot be called, such as a callback of Stable-Baselines3.

    Raises:
        SettingsTypeError: One of them is no function.
    """
    for callback in callbacks:
        if not callable(callback):
            raise SettingsTypeError(
                "callbacks must be functions of an evaluation's row and the run's folder, got "
                f"{type(callback).__name__}."
            )


def tell(callbacks: Sequence[OnEvaluation], row: MetricsRow, folder: Path) -> None:
    """Call every function with an evaluation, in their order.

    Raises:
        Exception: What one of them raises; a note says how to resume.
    """
    for callback in callbacks:
        try:
            callback(asdict(row), folder)
        except Exception as error:
            error.add_note(
                f"This stopped the run in {folder} after {row.gradient_steps} gradient steps. "
                "train(settings, folder, resume=True) resumes it."
            )
            raise
