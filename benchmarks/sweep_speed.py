"""Runs of a sweep by Ray, and the same runs one after the other, on one machine.

A model is fitted once, for all. Then the same runs are trained

- one after the other, each by `offline-envs train` in a process of its own, with one thread;
- the same with a thread for each core;
- by `run_sweep` with one core a run, so as many at once as the machine has cores, Ray's start included.

The first and the last have to end with the same returns, bit for bit. Ray is needed: `pip install
'offline-envs[sweep]'`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from timing import timed

from offline_envs.data import load_transitions
from offline_envs.dynamics import FitSettings, fit, save_model
from offline_envs.files import read_json
from offline_envs.sweep import SweepConfig, cells, run_sweep

Returns = dict[str, float]


def main(
    dataset: Annotated[
        str, typer.Option(help="Id or path; MINARI_DATASETS_PATH says where ids are looked for.")
    ] = "offline-envs/inverteddoublependulum-replay-v0",
    runs: Annotated[int, typer.Option(help="Seeds.", min=1)] = 8,
    steps: Annotated[int, typer.Option(help="Gradient steps of a run.", min=1)] = 2000,
    epochs: Annotated[int, typer.Option(help="Epochs of the shared fit.", min=1)] = 1,
    cores: Annotated[int, typer.Option(help="Cores; 0 means all.", min=0)] = 0,
) -> None:
    """Train the runs in each way and print a table."""
    cores = cores or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        config = sweep_of(dataset, fitted(dataset, epochs, scratch / "model"), runs, steps)
        ways: dict[str, Callable[[], Returns]] = {
            "one after the other, 1 thread": lambda: in_turn(config, scratch / "one", threads=1),
            f"one after the other, {cores} threads": lambda: in_turn(
                config, scratch / "turn-n", threads=cores
            ),
            f"Ray, {cores} at once": lambda: by_ray(config, scratch / "ray"),
        }
        found = {}
        for way, call in ways.items():
            found[way] = timed(call)
            Console(stderr=True).print(f"{way}: {found[way][1]:.0f} s")
    first, *_, last = (returns for returns, _ in found.values())
    if first != last:
        raise SystemExit(f"The same runs ended differently:\n{first}\n{last}")
    show(
        {way: seconds for way, (_, seconds) in found.items()},
        f"{runs} runs of {steps} gradient steps, {dataset}",
    )


def fitted(dataset: str, epochs: int, folder: Path) -> Path:
    """Fit the model that all runs share, and return its folder."""
    data = load_transitions(dataset)
    save_model(folder, fit(data, fit_settings=FitSettings(max_epochs=epochs), progress=False).ensemble)
    return folder


def sweep_of(dataset: str, model: Path, runs: int, steps: int) -> SweepConfig:
    """A sweep over seeds of MOPO with FastSAC, evaluated at its end only."""
    return SweepConfig(
        settings={
            "dataset": dataset,
            "model": str(model),
            "agent": "fastsac",
            "gradient_steps": steps,
            "eval_every": steps,
            "final_episodes": 5,
        },
        grid={"seed": list(range(runs))},
    )


def in_turn(config: SweepConfig, folder: Path, *, threads: int) -> Returns:
    """Train the runs one after the other, each in a process."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    for cell in cells(config):
        command = [sys.executable, "-c", TRAIN, json.dumps(cell.settings.to_json()), str(folder / cell.name)]
        subprocess.run(command, env=environment, check=True)
    return returns_in(config, folder)


TRAIN = """
import json, sys
from pathlib import Path
from offline_envs.runs import TrainSettings, train
train(TrainSettings.from_json(json.loads(sys.argv[1])), Path(sys.argv[2]), show_progress=False)
"""


def by_ray(config: SweepConfig, folder: Path) -> Returns:
    """Train the runs on Ray."""
    run_sweep(config, folder)
    return returns_in(config, folder)


def returns_in(config: SweepConfig, folder: Path) -> Returns:
    """The real return of every run, by name."""
    results: dict[str, Any] = {
        cell.name: read_json(folder / cell.name / "result.json") for cell in cells(config)
    }
    return {name: result["real_return"] for name, result in results.items()}


def show(seconds: dict[str, float], title: str) -> None:
    """Print seconds and times the speed of the first row."""
    table = Table("runs", "seconds", "times the first row", title=title)
    slowest = next(iter(seconds.values()))
    for way, value in seconds.items():
        table.add_row(way, f"{value:.0f}", f"{slowest / value:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
