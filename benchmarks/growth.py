"""Growth of time and memory with the size of the work: a table for each axis.

Sizes are measured in fresh processes. The exponent of a row is log(time ratio) / log(size ratio) to the row
before: 1 is as the work grows, 0 is a cost that the size does not change. What exceeds 1.1 between the two
largest sizes is marked and named below the tables.

Time on a CPU is the process's own, of all its threads, not the clock's: beside other programs a long call is
interrupted and a short one is not, which would look like growth. Memory is the peak of a first call beyond
what was held before it, its result included; of a GPU, that of its tensors.

An epoch of the fit is extrapolated from 20 gradient steps on rows drawn from all of the dataset.
"""

import math
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer
from dataset_loading import MEGABYTE, memory, reset_peak
from growth_axes import AXES, Cost, Operation
from rich.console import Console
from rich.table import Table
from timing import finished

LARGEST_EXPONENT = 1.1
LEAST_MEMORY = 32.0
"""MiB below which a peak says little: the allocator serves smaller blocks from what was freed before."""


class Grown(NamedTuple):
    """A cost beside its exponents from the size before, None where there is none."""

    cost: Cost
    time: float | None = None
    memory: float | None = None


def main(
    axis: Annotated[
        list[str] | None, typer.Option(help="batch, envs, members, rows or dims; may be repeated.")
    ] = None,
    largest_batch: Annotated[int, typer.Option(help="Most rows of a step.")] = 100_000,
    largest_envs: Annotated[int, typer.Option(help="Most environments.")] = 100_000,
    largest_members: Annotated[int, typer.Option(help="Most members.")] = 100,
    largest_rows: Annotated[
        int, typer.Option(help="Most rows of a dataset; 10 million take 10 GiB.")
    ] = 10_000_000,
    largest_dims: Annotated[int, typer.Option(help="Most dimensions of an observation.")] = 400,
    seconds: Annotated[float, typer.Option(help="Time for an operation and size; at least two calls.")] = 0.5,
    plot: Annotated[Path | None, typer.Option(help="PNG file for a figure of all tables.")] = None,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Measure how costs grow and print a table an axis."""
    limits = {
        "batch": largest_batch,
        "envs": largest_envs,
        "members": largest_members,
        "rows": largest_rows,
        "dims": largest_dims,
    }
    for name in axis or ():
        if name not in AXES:
            raise typer.BadParameter(f"--axis must be one of {', '.join(AXES)}, got {name!r}.")
    tables = {}
    for name in axis or AXES:
        sizes = [size for size in AXES[name][1] if size <= limits[name]]
        costs = [cost for size in sizes for cost in measured(name, size, seconds, threads, device)]
        tables[name] = grown(costs)
        Console().print(table(name, tables[name], f"{threads or torch.get_num_threads()} threads, {device}"))
    for line in verdict(tables):
        typer.echo(line)
    if plot:
        from growth_plot import plot_growth  # matplotlib is slow to import, and every process imports this

        plot_growth({name: [row.cost for row in rows] for name, rows in tables.items()}, plot)


def measured(axis: str, size: int, budget: float, threads: int, device: str) -> list[Cost]:
    """Measure every operation of an axis at one size, in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(costs_here, axis, size, budget, threads, device).result()


def costs_here(axis: str, size: int, budget: float, threads: int, device: str) -> list[Cost]:
    """Measure in this process, which must be fresh."""
    if threads:
        torch.set_num_threads(threads)
    operations, sizes = AXES[axis]
    for operation in operations(sizes[0], device):
        operation.call()  # What libraries set up once is not counted.
    return [cost_of(operation, size, budget, device) for operation in operations(size, device)]


def cost_of(operation: Operation, size: int, budget: float, device: str) -> Cost:
    """Measure the memory of a first call, and the time of the fastest until the budget is spent.

    There is always a second one, because memory that a virtual machine has not used before is slow.
    """
    begin = time.perf_counter()
    first, peak = first_call(operation, device)
    calls = [first]
    while len(calls) < 2 or time.perf_counter() - begin < budget:
        calls.append(spent(operation.call, device)[1])
    return Cost(operation.name, size, min(calls) * operation.per, peak)


def first_call(operation: Operation, device: str) -> tuple[float, float | None]:
    """Seconds and peak of memory, in MiB, of one call; None where the system does not tell."""
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / MEGABYTE
    elif sys.platform == "linux":
        before = reset_peak()
    else:
        return spent(operation.call, device)[1], None
    kept, seconds = spent(operation.call, device)
    peak = torch.cuda.max_memory_allocated() / MEGABYTE if on_gpu else memory("VmHWM")
    del kept  # Only its memory mattered.
    return seconds, max(peak - before, 0.0)


def spent(call: Callable[[], object], device: str) -> tuple[object, float]:
    """What a call returns, and its seconds: of the processor on a CPU, else of the clock."""
    clock = time.process_time if torch.device(device).type == "cpu" else time.perf_counter
    start = clock()
    result = finished(call, device)
    return result, clock() - start


def grown(costs: Sequence[Cost]) -> list[Grown]:
    """Order by operation, then size, and compare each size with the one before."""
    rows = []
    for name in dict.fromkeys(cost.operation for cost in costs):
        own = sorted((cost for cost in costs if cost.operation == name), key=lambda cost: cost.size)
        rows.append(Grown(own[0]))
        rows += [Grown(after, *exponents(before, after)) for before, after in pairwise(own)]
    return rows


def exponents(before: Cost, after: Cost) -> tuple[float, float | None]:
    """Exponents of time and memory between two sizes."""
    peaks = before.extra_peak or 0.0, after.extra_peak or 0.0
    peak = exponent(before.size, after.size, *peaks) if min(peaks) >= LEAST_MEMORY else None
    return exponent(before.size, after.size, before.seconds, after.seconds), peak


def exponent(size: float, larger: float, cost: float, dearer: float) -> float:
    """The p for which cost grows as size to the power of p."""
    return math.log(dearer / cost) / math.log(larger / size)


def too_fast(rows: Sequence[Grown]) -> list[Grown]:
    """The rows of the largest size whose time or memory outgrows the size."""
    largest = max(row.cost.size for row in rows)
    last = [row for row in rows if row.cost.size == largest]
    return [row for row in last if max(row.time or 0.0, row.memory or 0.0) > LARGEST_EXPONENT]


def verdict(tables: dict[str, list[Grown]]) -> list[str]:
    """Say in words what grows too fast."""
    found = [(axis, row) for axis, rows in tables.items() for row in too_fast(rows)]
    return [
        f"{row.cost.operation} grows faster than {axis} to the power of {LARGEST_EXPONENT}."
        for axis, row in found
    ] or [f"At the large end nothing grows faster than its size to the power of {LARGEST_EXPONENT}."]


def table(axis: str, rows: Sequence[Grown], setting: str) -> Table:
    """Lay out one row an operation and size."""
    grid = Table(title=f"Growth with {axis}: {AXES[axis][0].__doc__} {setting}")
    grid.add_column("operation", no_wrap=True)
    for column in (axis, "ms", "exponent", "extra MiB", "exponent", "too fast"):
        grid.add_column(column, justify="right")
    marked = too_fast(rows)
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        last = after is None or after.cost.operation != row.cost.operation
        numbers = (
            f"{1000 * row.cost.seconds:,.3f}",
            shown(row.time, ".2f"),
            shown(row.cost.extra_peak, ",.1f"),
            shown(row.memory, ".2f"),
        )
        mark = "yes" if row in marked else ""
        grid.add_row(row.cost.operation, f"{row.cost.size:,}", *numbers, mark, end_section=last)
    return grid


def shown(value: float | None, pattern: str) -> str:
    """Write a number, or nothing where there is none."""
    return "" if value is None else format(value, pattern)


if __name__ == "__main__":
    typer.run(main)
