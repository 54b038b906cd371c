"""`LearningCurve`: returns over real steps as a file, and all such files of a folder, read and drawn."""

import csv
import io
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offline_envs.errors import DatasetError
from offline_envs.evaluation.scoring import EvaluationResult
from offline_envs.files import new_file, write_text

COLUMNS = ("real_steps", "real_return", "real_std", "n_episodes")


class LearningCurve:
    """What a method's policy is worth after so many steps in the real environment, in a CSV file.

    The whole file is rewritten with every row, so that it can be read at any time.

    Args:
        path: The file, e.g. `curves/pets-seed0.csv`; one that is there already is replaced.

    Attributes:
        path: The file.
        rows: Real steps, mean and deviation of the undiscounted return, and number of episodes.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.rows: list[tuple[int, float, float, int]] = []

    def add(self, real_steps: int, found: EvaluationResult) -> None:
        """Write another row.

        Args:
            real_steps: Steps that the method has taken in the real environment, evaluations aside.
            found: The evaluation of its policy.
        """
        self.rows.append((real_steps, found.mean, found.std, len(found.returns)))
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([COLUMNS, *self.rows])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, text.getvalue())


class Seeds(NamedTuple):
    """The curves of one method's seeds."""

    steps: NDArray[np.float64]
    """Steps of the first seed that all seeds reach, `(k,)`."""
    returns: NDArray[np.float64]
    """Returns of each seed there, interpolated between its evaluations, `(n_seeds, k)`."""


def read_seeds(folder: Path | str) -> dict[str, Seeds]:
    """Read every learning curve of a folder, by method: a file's name without `-seed<n>`.

    Args:
        folder: Folder with CSV files of `LearningCurve`.

    Raises:
        DatasetError: The folder holds no such file, another one, one without an evaluation, or seeds that
            have no steps in common.
    """
    files = sorted(Path(folder).glob("*.csv"))
    if not files:
        raise DatasetError(f"{folder} holds no learning curves, files that end in .csv.")
    curves = defaultdict[str, list[tuple[list[int], list[float]]]](list)
    for file in files:
        curves[re.sub(r"-seed\d+$", "", file.stem)].append(_read(file))
    return {name: _aligned(name, own) for name, own in curves.items()}


def _aligned(name: str, curves: list[tuple[list[int], list[float]]]) -> Seeds:
    first = max(steps[0] for steps, _ in curves)
    last = min(steps[-1] for steps, _ in curves)
    steps = np.array([step for step in curves[0][0] if first <= step <= last], dtype=np.float64)
    if not len(steps):
        ranges = ", from ".join(f"{own[0]} to {own[-1]}" for own, _ in curves)
        raise DatasetError(
            f"The first seed of {name} must have an evaluation where all its seeds have been, got seeds that "
            f"go from {ranges} real steps. Evaluate them at the same steps, or move some to another folder."
        )
    return Seeds(steps, np.array([np.interp(steps, *curve) for curve in curves]))


def plot_curves(folder: Path | str, path: Path | str) -> None:
    """Draw the learning curves of a folder: each method's mean over its seeds, and the seeds thinner.

    Args:
        folder: See `read_seeds`.
        path: PNG file to write.

    Raises:
        DatasetError: See `read_seeds`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel="steps in the real environment", ylabel="undiscounted return")
    axes.grid(alpha=0.25)
    for number, (name, (steps, returns)) in enumerate(read_seeds(folder).items()):
        colour = f"C{number}"
        label = name if len(returns) == 1 else f"{name}, {len(returns)} seeds"
        axes.plot(steps, returns.mean(0), marker="o", markersize=3, color=colour, label=label)
        if len(returns) > 1:
            axes.plot(steps, returns.T, color=colour, linewidth=0.8, alpha=0.4)
    axes.legend(fontsize="small")
    with new_file(Path(path)) as part:
        figure.savefig(part, format="png", dpi=120)


def _read(file: Path) -> tuple[list[int], list[float]]:
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    if not rows:
        raise DatasetError(
            f"{file} must hold an evaluation, a line below the columns {', '.join(COLUMNS)}; it has none. "
            "Remove the file, or write it again."
        )
    try:
        return [int(row["real_steps"]) for row in rows], [float(row["real_return"]) for row in rows]
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(
            f"{file} is no learning curve; its columns must be {', '.join(COLUMNS)}."
        ) from error
