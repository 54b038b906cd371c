"""Everything that a GPU is measured by, in one table with the goals beside the figures; minutes.

The parts are those of the other scripts, each cut to a few seconds: steps (`device_step.py`), rollouts
(`device_rollout.py`), the fit (`fit_throughput.py`), FastSAC (`agent_updates.py`), a whole run extrapolated
to a million gradient steps (`whole_run.py`), eight agents that learn together (`together.py`), a large robot:
48 observations and 12 actions, 100 members, 8192 episodes, and PPO in its environments (`ppo_in_model.py`).
Goals are for one H100. The floor is what no program with these networks can avoid: their matrix products, or
for rollouts model step and policy; for agents together one agent.
"""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Annotated, NamedTuple

import device_rollout
import device_step
import ppo_in_model
import together
import torch
import typer
from agent_updates import Products, Updates, updates_of
from device_step import FLOOR, FUSED, GRAPHS, Speed
from fit_throughput import floor as fit_floor
from fit_throughput import one_epoch, random_transitions
from growth_axes import vector_env
from mopo_programs import OwnProgram
from rich.console import Console
from rich.table import Table
from run_shares import TASKS, calm_transitions
from timing import device_name, finished, seconds_of, timed

from offline_envs.data import load_transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.dynamics.ensemble.precision import PRECISIONS
from offline_envs.sb3 import FastSAC

DEMO = "offline-envs/inverteddoublependulum-replay-v0"
STEP_GOALS = dict(zip(PRECISIONS, (12e6, 30e6, 80e6), strict=True))
"""Rows a second of large steps."""

EPOCHS, GRADIENT_STEPS = 30, 1_000_000
"""What a whole run is extrapolated to."""


class Sizes(NamedTuple):
    """How much is measured."""

    few: int = device_step.BATCHES[0]
    many: int = device_step.BATCHES[1]
    steps: int = 100
    rows: tuple[int, ...] = (1000, 10_000)
    seconds: float = 8.0
    fit_rows: int = 200_000
    updates: int = 1000
    run_steps: int = 2000
    run_envs: int = 500
    agents: int = 8
    members: int = 100
    robots: int = 8192


SMALL = Sizes(2, 300, 1, (10,), 0.0, 2000, 2, 4, 10, 2, 3, 16)


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    measured: float
    unit: str
    goal: float | None = None
    floor: float | None = None
    """In the same unit."""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; a rate has to be above it, a time below."""
        if self.goal is None:
            return None
        return self.measured >= self.goal if self.unit.endswith("/s") else self.measured <= self.goal


def main(
    device: Annotated[str, typer.Option(help="cuda, or cpu, where goals mean nothing.")] = "cuda",
    dataset: Annotated[str, typer.Option(help="Dataset of the whole run.")] = DEMO,
    small: Annotated[bool, typer.Option(help="Try everything at sizes that measure nothing.")] = False,
) -> None:
    """Measure all parts and print the table, with the seconds that each part took."""
    sizes, console = SMALL if small else Sizes(), Console()
    parts: dict[str, Callable[[], Iterator[Figure]]] = {
        "steps": partial(steps, device, sizes),
        "rollouts": partial(rollouts, device, sizes),
        "fit": partial(fits, device, sizes),
        "FastSAC": partial(gradient_steps, device, sizes),
        "whole run": partial(whole_run, device, sizes, dataset),
        "agents together": partial(agents_together, device, sizes),
        "large robot": partial(large_robot, device, sizes),
        "PPO": partial(large_robot_ppo, device, sizes),
    }
    figures = list[Figure]()
    for name, measure in parts.items():
        found, seconds = timed(lambda measure=measure: list(measure()))  # type: ignore[misc]
        console.print(f"{name}: {seconds:.0f} s")
        figures += found
    console.print(table(figures, device))


def steps(device: str, sizes: Sizes) -> Iterator[Figure]:
    """Steps of the penalised model, plain and with one kernel for all layers."""
    for precision in PRECISIONS:
        for batch in (sizes.few, sizes.many):
            rounds = 1 if sizes is SMALL else 10
            speed = device_step.measure(precision, batch, device=device, steps=sizes.steps, rounds=rounds)
            for candidate, ending in ((GRAPHS, ""), (FUSED, ", fused")):
                if candidate in speed.seconds:
                    yield of_step(speed, candidate, ending, in_time=batch == sizes.few)


def of_step(speed: Speed, candidate: str, ending: str, *, in_time: bool) -> Figure:
    """The figure of a step: of a small one in time, of a large one in rows."""
    seconds, products = speed.seconds[candidate], speed.seconds[FLOOR]
    name = f"step of {speed.batch:,} rows, {speed.precision}{ending}"
    if in_time:
        return Figure(name, 1e6 * seconds, "µs", 100, 1e6 * products)
    return Figure(name, speed.batch / seconds, "rows/s", STEP_GOALS[speed.precision], speed.batch / products)


def rollouts(device: str, sizes: Sizes) -> Iterator[Figure]:
    """Rollouts into the buffer, in units of the model step and the policy that they hold."""
    for n in sizes.rows:
        cost = device_rollout.measure(n, 5, device=device, budget=sizes.seconds)
        times = cost.times_floor(device_rollout.STORED)
        yield Figure(f"rollout of {n:,} rows with buffer", times, "times the floor", 1.2, 1.0)


def fits(device: str, sizes: Sizes) -> Iterator[Figure]:
    """The default ensemble's fit."""
    data = random_transitions(sizes.fit_rows, 17, 6)
    products = fit_floor(data, device, own=False, steps=10)
    speeds = [(one_epoch(data, device), products()) for _ in range(3)]
    own, floor = (median(pair) for pair in zip(*speeds, strict=True))
    yield Figure("fit of 7 members", own, "rows/s", 800_000, floor)


def gradient_steps(device: str, sizes: Sizes) -> Iterator[Figure]:
    """FastSAC's gradient steps."""
    data = calm_transitions(TASKS["halfcheetah"])
    products = Products(data.obs_dim, data.action_dim, device, own=True)
    own, floor = (rate(call, sizes.updates, device) for call in (updates_of(FastSAC, data, device), products))
    yield Figure("FastSAC", own, "gradient steps/s", 2000, floor)


def rate(call: Updates, n: int, device: str) -> float:
    """Gradient steps a second, after as many that are not counted."""
    call(n)
    return n / seconds_of(lambda: finished(lambda: call(n), device))


def whole_run(device: str, sizes: Sizes, dataset: str) -> Iterator[Figure]:
    """MOPO from the dataset to the policy, without evaluation, with a stopwatch around each part."""
    data, loading = timed(lambda: load_transitions(dataset))
    program = OwnProgram(data, loading, "fastsac", sizes.run_envs, device)
    program.fit_epoch()
    program.train(sizes.run_steps)
    parts = program.extrapolated(EPOCHS, GRADIENT_STEPS)
    yield Figure("MOPO, a million gradient steps", sum(parts.values()), "s", 600)
    for name, seconds in parts.items():
        yield Figure(f"  of which {name}", seconds, "s")


def agents_together(device: str, sizes: Sizes) -> Iterator[Figure]:
    """MOPO's rollouts and gradient steps of several agents at the same time, beside those of one."""
    for n_envs in (sizes.run_envs, 10 * sizes.run_envs):
        found = together.measure(sizes.agents, n_envs, sizes.run_steps, device)
        name = f"{sizes.agents} agents together, {n_envs:,} episodes each"
        yield Figure(name, found.times_one, "times one", 2.0, 1.0)


def large_robot(device: str, sizes: Sizes) -> Iterator[Figure]:
    """A step of many members for many episodes, and the memory that it takes."""
    settings = EnsembleSettings(n_members=sizes.members, n_elites=sizes.members)
    model = EnsembleDynamics(48, 12, settings=settings).requires_grad_(False)
    data = random_transitions(1000, 48, 12)
    envs = vector_env(data, model, sizes.robots, device, output="torch")
    action = torch.zeros(sizes.robots, 12, device=device)
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(5):
        envs.step(action)
    n = max(1, sizes.steps // 2)
    seconds = seconds_of(lambda: finished(lambda: [envs.step(action) for _ in range(n)], device)) / n
    name = f"{sizes.members} members, {sizes.robots:,} episodes, 48 + 12 dimensions"
    yield Figure(name, sizes.robots / seconds, "rows/s")
    if on_gpu:
        yield Figure("  its peak memory", torch.cuda.max_memory_allocated(device) / 2**30, "GiB")


def large_robot_ppo(device: str, sizes: Sizes) -> Iterator[Figure]:
    """PPO in the large robot's environments, by how many members their steps evaluate, and its memory."""
    iterations = 1 if sizes is SMALL else 5
    for name in ppo_in_model.ENVIRONMENTS:
        speed = ppo_in_model.measure(name, sizes.members, sizes.robots, device=device, iterations=iterations)
        yield Figure(f"PPO, {name}, {speed.evaluated} members a step", speed.rate, "transitions/s")
        yield Figure("  its steps in the model", 100 * speed.share, "% of the time")
        if speed.peak is not None:
            yield Figure("  its peak memory", speed.peak, "GiB")


def table(figures: list[Figure], device: str) -> Table:
    """Lay out one row a figure."""
    grid = Table(title=f"{device_name(device)}, PyTorch {torch.__version__}")
    for column in ("figure", "measured", "goal", "reached", "floor", "share of the floor"):
        grid.add_column(column, justify="left" if column == "figure" else "right")
    for figure in figures:
        goal, floor = (shown(number) for number in (figure.goal, figure.floor))
        share = "" if figure.floor is None else f"{share_of(figure):.0%}"
        reached = {None: "", True: "yes", False: "no"}[figure.reached]
        grid.add_row(figure.name, f"{shown(figure.measured)} {figure.unit}", goal, reached, floor, share)
    return grid


def shown(number: float | None) -> str:
    """A number with three digits or more; nothing for None."""
    if number is None:
        return ""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def share_of(figure: Figure) -> float:
    """How much of the speed of the floor is reached."""
    assert figure.floor is not None
    ratio = figure.measured / figure.floor
    return ratio if figure.unit.endswith("/s") else 1 / ratio


if __name__ == "__main__":
    typer.run(main)
