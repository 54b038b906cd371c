"""`LearningCurve`: returns over real steps as a file, and a plot of all such files in a folder."""

import csv
import io
from pathlib import Path

from offline_envs.errors import DatasetError
from offline_envs.evaluation.scoring import EvaluationResult
from offline_envs.files import new_file, write_text

COLUMNS = ("real_steps", "real_return", "real_std", "n_episodes")


class LearningCurve:
    """What a method's policy is worth after so many steps in the real environment, in a CSV file.

    The file is written anew, as a whole, with every row, so that it can be read at any time.

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


def plot_curves(folder: Path | str, path: Path | str) -> None:
    """Draw every learning curve of a folder, labelled by the names of their files.

    Args:
        folder: Folder with CSV files of `LearningCurve`.
        path: PNG file to write.

    Raises:
        DatasetError: The folder holds no such file, or another one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel="steps in the real environment", ylabel="undiscounted return")
    axes.grid(alpha=0.25)
    files = sorted(Path(folder).glob("*.csv"))
    if not files:
        raise DatasetError(f"{folder} holds no learning curves, files that end in .csv.")
    for file in files:
        steps, returns = _read(file)
        axes.plot(steps, returns, marker="o", markersize=3, label=file.stem)
    axes.legend(fontsize="small")
    with new_file(Path(path)) as part:
        figure.savefig(part, format="png", dpi=120)


def _read(file: Path) -> tuple[list[int], list[float]]:
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    try:
        return [int(row["real_steps"]) for row in rows], [float(row["real_return"]) for row in rows]
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(
            f"{file} is no learning curve; its columns must be {', '.join(COLUMNS)}."
        ) from error
