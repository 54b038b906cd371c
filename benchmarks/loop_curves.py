"""Returns over real steps of the loops in `examples/`, by method: mean ± deviation over their seeds.

Reads what `pets_loop.py`, `mbpo_online.py`, `mbmf.py` and `sac_alone.py` have written, `runs/loops` by
default. A return is interpolated between the two evaluations around a number of steps.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from offline_envs.evaluation import plot_curves
from offline_envs.evaluation.curves import Seeds, read_seeds


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of learning curves.")] = Path("runs/loops"),
    at: Annotated[str, typer.Option(help="Numbers of real steps.")] = "1000,2000,3000,4500,10000,20000",
    image: Annotated[Path | None, typer.Option(help="PNG file of all curves.")] = None,
) -> None:
    """Print the table as Markdown."""
    steps = [int(number) for number in at.split(",")]
    print("| method | seeds | " + " | ".join(f"{number:,} steps" for number in steps) + " |")
    print("|---" * (2 + len(steps)) + "|")
    for name, seeds in read_seeds(folder).items():
        cells = [cell(seeds, number) for number in steps]
        print(f"| {name} | {len(seeds.returns)} | " + " | ".join(cells) + " |")
    if image is not None:
        plot_curves(folder, image)


def cell(seeds: Seeds, steps: int) -> str:
    """Mean ± deviation after some steps; nothing outside the curves."""
    if not seeds.steps[0] <= steps <= seeds.steps[-1]:
        return ""
    found = [float(np.interp(steps, seeds.steps, own)) for own in seeds.returns]
    return f"{np.mean(found):.0f} ± {np.std(found):.0f}"


if __name__ == "__main__":
    typer.run(main)
