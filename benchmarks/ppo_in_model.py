"""Transitions a second of PPO in a large robot's learned environments, gradient steps included, and memory.

48 observations and 12 actions, 100 members of 4 x 200 and 8192 episodes. The program is
`examples/ppo_on_device.py`, with the networks and the iteration of legged_gym's PPO (Rudin et al. 2022):
512, 256 and 128 wide, 24 steps, 5 epochs of 4 minibatches.

Environments differ in what a step evaluates by default. `PenalizedModel-v0` takes all members, for the
penalty. `LearnedModel-v0` takes the elites, five by default: on a CPU each row's own one alone, on a GPU all
five for every row.
"""

import gc
import importlib
import sys
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from fit_throughput import random_transitions
from growth_axes import vector_env
from rich.console import Console
from rich.table import Table
from timing import device_name, finished, seconds_of, watch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings

OBS_DIM, ACTION_DIM = 48, 12
ENVIRONMENTS = ("PenalizedModel-v0", "LearnedModel-v0")
NETWORKS = {"hidden": (512, 256, 128), "horizon": 24, "epochs": 5, "minibatches": 4}


class Speed(NamedTuple):
    """What PPO reaches in one environment."""

    environment: str
    evaluated: int  # members of each step
    rate: float  # transitions a second
    share: float  # of the time, that of steps in the model
    peak: float | None  # GiB of a GPU


def main(
    members: Annotated[int, typer.Option(help="Members of the ensemble.", min=1)] = 100,
    n_envs: Annotated[int, typer.Option(help="Episodes.", min=1)] = 8192,
    iterations: Annotated[int, typer.Option(help="Iterations that are measured.", min=1)] = 5,
    device: Annotated[str, typer.Option(help="cuda or cpu.")] = "cuda",
) -> None:
    """Measure PPO in each environment and print a table."""
    grid = Table(title=f"PPO in {n_envs:,} episodes, {members} members, {device_name(device)}")
    for column in ("environment", "members a step", "transitions/s", "share of steps", "peak GiB"):
        grid.add_column(column, justify="left" if column == "environment" else "right")
    for name in ENVIRONMENTS:
        speed = measure(name, members, n_envs, device=device, iterations=iterations)
        peak = "" if speed.peak is None else f"{speed.peak:.2f}"
        grid.add_row(name, str(speed.evaluated), f"{speed.rate:,.0f}", f"{speed.share:.0%}", peak)
    Console().print(grid)


def measure(environment: str, members: int, n_envs: int, *, device: str, iterations: int) -> Speed:
    """Measure some iterations of PPO, after two that are not counted."""
    before = restarted_peak(device)
    data = random_transitions(1000, OBS_DIM, ACTION_DIM)
    settings = EnsembleSettings(n_members=members, n_elites=min(members, EnsembleSettings().n_elites))
    model = EnsembleDynamics(OBS_DIM, ACTION_DIM, settings=settings).requires_grad_(False)
    envs = vector_env(data, model, n_envs, device, environment, output="torch")
    program = example()
    chosen = program.Settings(device=device, **NETWORKS)
    run = program.ppo(envs, program.Agent(data, chosen), chosen)
    for _ in range(2):
        next(run)
    seconds = seconds_of(lambda: finished(lambda: [next(run) for _ in range(iterations)], device))
    rate = n_envs * chosen.horizon * iterations / seconds
    peak = None if before is None else (torch.cuda.max_memory_allocated(device) - before) / 2**30
    steps = watch(envs, "step", device)  # waits before and after each step, so in an iteration of its own
    whole = seconds_of(lambda: finished(lambda: next(run), device))
    return Speed(environment, envs.unwrapped.mdp.members.n_members, rate, steps.seconds / whole, peak)


def restarted_peak(device: str) -> int | None:
    """Watch a GPU's peak memory from here on, and return the bytes that are in use already."""
    if torch.device(device).type != "cuda":
        return None
    gc.collect()  # environments measured before, whose parts refer to each other
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def example() -> Any:
    """Import `examples/ppo_on_device.py`."""
    folder = str(Path(__file__).parents[1] / "examples")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("ppo_on_device")


if __name__ == "__main__":
    typer.run(main)
