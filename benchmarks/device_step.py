"""Steps of `PenalizedModel-v0` on a GPU, by precision: as graphs, plain and fused, and kernel by kernel.

A step ends with the reset of finished rows, and tensors go in and out. HalfCheetah's sizes. The floor is one
batched product a layer, the two heads as one, in the same precision, replayed as a graph too. Each figure is
the best of several rounds of many steps, between which the device is waited for.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import torch
import typer
from model_step import ACTION_DIM, OBS_DIM, products, world
from rich.console import Console
from rich.table import Table
from timing import device_name, synchronize
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics
from offline_envs.dynamics.ensemble.fused import obstacle
from offline_envs.dynamics.ensemble.precision import PRECISIONS
from offline_envs.kernels.captured_call import WARM_UP_CALLS, CapturedCall
from offline_envs.kernels.rounding import HIDDEN_DTYPES, products_of
from offline_envs.mdp import mdp

BATCHES = (1024, 65_536)
FLOOR, GRAPHS, FUSED, KERNELS = "floor", "graphs", "fused", "kernels"


class Speed(NamedTuple):
    """Seconds of one call, by candidate; `FUSED` only where the kernel can run."""

    precision: str
    batch: int
    seconds: dict[str, float]


def main(
    batch: Annotated[list[int] | None, typer.Option(help="Rows of a step; may be repeated.", min=1)] = None,
    precision: Annotated[list[str] | None, typer.Option(help="float32, tf32 or bfloat16; repeat.")] = None,
    device: Annotated[str, typer.Option(help="cuda or cpu; a CPU has no graphs.")] = "cuda",
    steps: Annotated[int, typer.Option(help="Steps of a round.", min=1)] = 100,
    rounds: Annotated[int, typer.Option(help="Rounds of each candidate.", min=1)] = 10,
    chunk: Annotated[int, typer.Option(help="Rows that a GPU computes together.", min=1)] = mdp.GPU_CHUNK,
) -> None:
    """Measure the step and print a table."""
    mdp.GPU_CHUNK = chunk
    speeds = [
        measure(name, n, device=device, steps=steps, rounds=rounds)
        for name in precision or PRECISIONS
        for n in batch or BATCHES
    ]
    Console().print(table(speeds, device))


def measure(precision: str, batch: int, *, device: str, steps: int, rounds: int) -> Speed:
    """Measure every candidate, turn by turn."""
    options: dict[str, dict[str, Any]] = {GRAPHS: {}, KERNELS: {"capture": False}}
    if obstacle(EnsembleDynamics(OBS_DIM, ACTION_DIM).to(device)) is None:
        options[FUSED] = {"fused": True}
    candidates = {  # first those that refuse an unknown precision
        name: stepper(batch, device=device, precision=precision, **own) for name, own in options.items()
    }
    candidates[FLOOR] = floor(precision, batch, device)
    seconds = dict.fromkeys(candidates, float("inf"))
    for call in candidates.values():
        seconds_a_call(call, WARM_UP_CALLS + 2, device)
    for _ in range(rounds):
        for name, call in candidates.items():
            seconds[name] = min(seconds[name], seconds_a_call(call, steps, device))
    return Speed(precision, batch, seconds)


def stepper(batch: int, *, device: str, **options: Any) -> Callable[[], object]:
    """Prepare a step of the vector environment."""
    envs, _, action = world(batch, device=device, **options)
    action = action.to(device)
    return lambda: envs.step(action)


def floor(precision: str, batch: int, device: str) -> Callable[[], object]:
    """Prepare the matrix products of a step, in its precision."""
    multiply = products(batch, reuse=True, device=device, dtype=HIDDEN_DTYPES[precision])

    def call(signal: Tensor) -> Tensor:
        with products_of(precision):
            multiply()
        return signal

    signal = torch.zeros(1, device=device)
    replayed = CapturedCall(call, name="the floor") if torch.device(device).type == "cuda" else call
    return lambda: replayed(signal)


def seconds_a_call(call: Callable[[], object], n: int, device: str) -> float:
    """Seconds of a call, of `n` in a row."""
    synchronize(device)
    start = time.perf_counter()
    for _ in range(n):
        call()
    synchronize(device)
    return (time.perf_counter() - start) / n


def table(speeds: list[Speed], device: str) -> Table:
    """Lay out one row a precision and batch size."""
    grid = Table(title=f"PenalizedModel-v0 on {device_name(device)}, {OBS_DIM}+{ACTION_DIM} dimensions")
    columns = ("batch", "µs a step", "transitions/s", "env/floor", "µs fused", "fused/floor")
    for column in ("precision", *columns, "µs without graphs", "µs of the floor"):
        grid.add_column(column, justify="left" if column == "precision" else "right")
    for speed in speeds:
        seconds = speed.seconds
        fused = seconds.get(FUSED)
        grid.add_row(
            speed.precision,
            f"{speed.batch:,}",
            f"{1e6 * seconds[GRAPHS]:,.0f}",
            f"{speed.batch / seconds[GRAPHS]:,.0f}",
            f"{seconds[FLOOR] / seconds[GRAPHS]:.0%}",
            "" if fused is None else f"{1e6 * fused:,.0f}",
            "" if fused is None else f"{seconds[FLOOR] / fused:.0%}",
            f"{1e6 * seconds[KERNELS]:,.0f}",
            f"{1e6 * seconds[FLOOR]:,.0f}",
        )
    return grid


if __name__ == "__main__":
    typer.run(main)
