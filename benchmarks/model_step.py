"""Steps per second of the learned environments against the matrix products that a penalised one cannot avoid.

The floor is one batched product a layer (`torch.bmm`), the two heads as one, on the whole batch: into fresh
memory, as a plain program would, and into memory that exists already. Products are the same as the package
computes them: one member after the other in chunks, with whatever library is the faster one. HalfCheetah's
sizes. Memory is what a step of the MDP holds at its peak beyond what it was given and what it returned.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import torch
import typer
from dataset_loading import MEGABYTE, memory, reset_peak
from fit_throughput import random_transitions
from peers import kit_dynamics
from rich.console import Console
from rich.table import Table
from timing import best_seconds
from torch import Tensor
from torch.nn import functional

import offline_envs  # noqa: F401  registers the environments
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.dynamics.ensemble.ensemble import APART_FROM
from offline_envs.kernels.products import linear
from offline_envs.mdp.mdp import CPU_CHUNK

OBS_DIM, ACTION_DIM = 17, 6  # HalfCheetah and Walker2d
BATCHES = (1, 10, 100, 1000, 2000, 10_000, 100_000)
FLOOR, REUSED, OWN, KIT = "floor", "floor, memory reused", "products", "OfflineRL-Kit"
MDP, ENV, PLAIN = "LearnedMDP", "vector env", "without penalty"


class Speed(NamedTuple):
    """The measurements at one batch size."""

    batch: int
    seconds: dict[str, float]  # of the fastest step, by candidate
    extra_peak: float | None  # MiB

    def rows_per_second(self, name: str) -> float:
        """Rows that a candidate steps in a second."""
        return self.batch / self.seconds[name]

    def times(self, name: str, other: str) -> float:
        """How many times the speed of `other` a candidate has."""
        return self.seconds[other] / self.seconds[name]


def main(
    batch: Annotated[list[int] | None, typer.Option(help="Rows of a step; may be repeated.", min=1)] = None,
    seconds: Annotated[float, typer.Option(help="Time for each batch size; at least 3 rounds.")] = 10.0,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 0,
    extra_memory: Annotated[bool, typer.Option(help="Measure memory, in a process a batch (Linux).")] = True,
    offlinerl_kit: Annotated[Path | None, typer.Option(help="Checkout of OfflineRL-Kit.")] = None,
) -> None:
    """Measure the model step and print a table."""
    if threads:
        torch.set_num_threads(threads)
    speeds = [
        measure(n, budget=seconds, extra_memory=extra_memory, offlinerl_kit=offlinerl_kit)
        for n in batch or BATCHES
    ]
    Console().print(table(speeds))


def measure(
    batch: int, *, budget: float, extra_memory: bool = False, offlinerl_kit: Path | None = None
) -> Speed:
    """Measure every candidate at one batch size, turn by turn."""
    envs, obs, action = world(batch)
    plain, _, _ = world(batch, "LearnedModel-v0")
    generator = torch.Generator().manual_seed(0)
    candidates: dict[str, Callable[[], object]] = {
        FLOOR: products(batch),
        REUSED: products(batch, reuse=True),
        OWN: own_products(batch),
        MDP: lambda: envs.unwrapped.mdp.step(obs, action, generator),
        ENV: lambda: envs.step(action),
        PLAIN: lambda: plain.step(action),
    }
    if offlinerl_kit:
        kit, obs_array, action_array = (
            kit_dynamics(offlinerl_kit, OBS_DIM, ACTION_DIM),
            obs.numpy(),
            action.numpy(),
        )
        candidates[KIT] = lambda: kit.step(obs_array, action_array)
    peak = extra_peak(batch) if extra_memory else None
    return Speed(batch, best_seconds(candidates, budget=budget), peak)


def world(batch: int, env_id: str = "PenalizedModel-v0", **options: Any) -> tuple[Any, Tensor, Tensor]:
    """Make a reset vector environment of an unfitted model, observations and actions (on the CPU)."""
    data = random_transitions(1000, OBS_DIM, ACTION_DIM)
    model = EnsembleDynamics(OBS_DIM, ACTION_DIM).requires_grad_(False)
    envs = gym.make_vec(
        env_id,
        num_envs=batch,
        dataset=data,
        model=model,
        env_id="HalfCheetah-v5",
        output="torch",
        **{"autoreset_mode": "SameStep", **options},
    )
    obs, _ = envs.reset(seed=0)
    generator = torch.Generator().manual_seed(0)
    return envs, obs, torch.rand(batch, ACTION_DIM, generator=generator) * 2 - 1


def products(
    batch: int, *, reuse: bool = False, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Callable[[], None]:
    """Prepare the matrix products of one forward pass of the default ensemble."""
    settings = EnsembleSettings()
    n, widths = settings.n_members, (OBS_DIM + ACTION_DIM, *settings.hidden, 2 * (1 + OBS_DIM))
    kind: Any = {"device": device, "dtype": dtype}
    weights = [torch.randn(n, i, o, **kind) for i, o in pairwise(widths)]
    # Layers of one width share their memory: at 100 000 rows each takes half a gigabyte.
    inputs = {width: torch.randn(n, batch, width, **kind) for width in set(widths[:-1])}
    outputs = {width: torch.empty(n, batch, width, **kind) for width in set(widths[1:])} if reuse else {}

    def multiply() -> None:
        for weight in weights:
            _, i, o = weight.shape
            torch.bmm(inputs[i], weight, out=outputs.get(o))

    return multiply


def own_products(batch: int) -> Callable[[], None]:
    """Prepare the same as the package computes them: member by member, in chunks that stay in the cache."""
    settings = EnsembleSettings()
    widths = (OBS_DIM + ACTION_DIM, *settings.hidden, 2 * (1 + OBS_DIM))
    members = [[torch.randn(o, i) for i, o in pairwise(widths)] for _ in range(settings.n_members)]
    product = linear if batch >= APART_FROM else functional.linear
    chunks = torch.split(torch.randn(batch, widths[0]), CPU_CHUNK)

    def multiply() -> None:
        for hidden in chunks:
            for weights in members:
                outputs = hidden
                for weight in weights:
                    outputs = product(outputs, weight)

    return multiply


def extra_peak(batch: int) -> float:
    """MiB that one step needs beyond its inputs and outputs, in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(extra_peak_here, batch).result()


def extra_peak_here(batch: int) -> float:
    """MiB that one step needs, in this process, which must be fresh."""
    envs, obs, action = world(batch)
    generator = torch.Generator().manual_seed(0)
    envs.unwrapped.mdp.step(obs[:1], action[:1], generator)  # What libraries set up once is not counted.
    before = reset_peak()
    step = envs.unwrapped.mdp.step(obs, action, generator)
    returned: int = sum(field.nbytes for field in (*step[:-1], *step.extras.values()))
    return max(memory("VmHWM") - before - returned / MEGABYTE, 0.0)


def table(speeds: list[Speed]) -> Table:
    """Lay out one row a batch size."""
    with_kit = KIT in speeds[0].seconds
    grid = Table(
        title=f"Model step, {OBS_DIM}+{ACTION_DIM} dimensions, {torch.get_num_threads()} threads, rows/s"
    )
    columns = ["batch", FLOOR, REUSED, OWN, MDP, ENV, PLAIN]
    columns += ["env/floor", "env/reused", "env/products", "plain/env", "extra MiB"]
    for column in columns + [KIT, "env/Kit"] * with_kit:
        grid.add_column(column, justify="right")
    for speed in speeds:
        numbers = [
            f"{speed.batch:,}",
            *(f"{speed.rows_per_second(name):,.0f}" for name in (FLOOR, REUSED, OWN, MDP, ENV, PLAIN)),
        ]
        numbers += [f"{speed.times(ENV, name):.0%}" for name in (FLOOR, REUSED, OWN)]
        numbers.append(f"{speed.times(PLAIN, ENV):.1f}x")
        numbers.append("" if speed.extra_peak is None else f"{speed.extra_peak:.1f}")
        if with_kit:
            numbers += [f"{speed.rows_per_second(KIT):,.0f}", f"{speed.times(ENV, KIT):.1f}x"]
        grid.add_row(*numbers)
    return grid


if __name__ == "__main__":
    typer.run(main)
