"""A guard against slower code: ratios of speeds against bounds, with exit code 1 if one is below its bound.

Only ratios are compared, never seconds: each is the median of short rounds in which the two take turns, so a
busy machine hardly moves them. The bounds are about 70 % of what was measured on one thread of an AMD EPYC
with AVX-512 or, for CUDA, on one H100, where fewer were measured; other ratios are only shown.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
import typer
from agent_updates import updates_of
from fit_throughput import Products as LayerProducts
from fit_throughput import forward_and_back, random_transitions
from growth_axes import ACTION_DIM, OBS_DIM, ensemble, noise, vector_env
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from run_shares import TASKS, calm_transitions
from stable_baselines3 import SAC
from timing import median_ratio

from offline_envs.dynamics import FitSettings, fit
from offline_envs.sb3 import FastSAC, SB3VecEnv

BOUNDS: Mapping[str, float] = {
    "step of 1000 rows / products": 0.6,
    "step of 2000 rows / products": 0.6,
    "step without penalty / with": 2.0,
    "single step / products": 0.07,
    "SB3VecEnv / vector environment": 0.68,
    "FastSAC / SAC": 1.45,
    "fit / products": 0.45,
}
"""Pair → how many times the speed of the second the first must have, on a CPU."""

CUDA_BOUNDS: Mapping[str, float] = {"FastSAC / SAC": 8.0, "fit / products": 0.3}
"""The same on a CUDA device."""

Call = Callable[[], object]


class Pair(NamedTuple):
    """Two things that do comparable work.

    Attributes:
        reference: What is compared with.
        candidate: What must not get slower.
        per: Factor on the ratio, where one call of the candidate does that many times the reference's work.
    """

    reference: Call
    candidate: Call
    per: float = 1.0


def main(
    rounds: Annotated[int, typer.Option(help="Turns of each; the median counts.", min=1)] = 11,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Measure the ratios, print them with their bounds, and fail if one is below its bound."""
    if threads:
        torch.set_num_threads(threads)
    bounds = BOUNDS if torch.device(device).type == "cpu" else CUDA_BOUNDS
    ratios = {
        name: median_ratio(*pair[:2], rounds=rounds, device=device) * pair.per
        for name, pair in pairs(device).items()
    }
    Console().print(table(ratios, bounds, f"Ratios of speeds, {torch.get_num_threads()} threads, {device}"))
    lines = too_slow(ratios, bounds)
    for line in lines:
        typer.echo(line, err=True)
    if lines:
        raise typer.Exit(1)


def too_slow(ratios: Mapping[str, float], bounds: Mapping[str, float]) -> list[str]:
    """One line for every ratio below its bound; NaN is below, and what has no bound is not judged."""
    return [
        f"Too slow: {name} is {ratios[name]:.2f}, and should be at least {bound:.2f}."
        for name, bound in bounds.items()
        if not ratios[name] >= bound
    ]


def pairs(device: str) -> dict[str, Pair]:
    """Everything that is compared, by the names of `BOUNDS`."""
    return {
        "step of 1000 rows / products": Pair(products(1000, device), step(1000, device)),
        "step of 2000 rows / products": Pair(products(2000, device), step(2000, device)),
        "step without penalty / with": Pair(step(2000, device), step(2000, device, "LearnedModel-v0")),
        "single step / products": Pair(products(1, device, times=400), single_step(device, times=20), 1 / 20),
        "SB3VecEnv / vector environment": vector_views(500, device),
        "FastSAC / SAC": agents(device),
        "fit / products": fits(device),
    }


def products(rows: int, device: str, *, times: int = 1) -> Call:
    """The matrix products of a step of the ensemble, into memory that exists already."""
    layers = layer_products(rows, device)

    def forward() -> None:
        for _ in range(times):
            for layer in layers:
                layer.forward()

    return forward


def layer_products(rows: int, device: str) -> list[LayerProducts]:
    """The products of every layer of the default ensemble, the two heads as one."""
    weights = [weight for weight, _ in ensemble(OBS_DIM)._layers()]
    return [LayerProducts(len(w), rows, w.shape[1], w.shape[2], device) for w in weights]


def step(rows: int, device: str, env_id: str = "PenalizedModel-v0") -> Call:
    """Step a vector environment."""
    envs = vector_env(noise(1000), ensemble(OBS_DIM), rows, device, env_id=env_id, output="torch")
    actions = torch.zeros(rows, ACTION_DIM, device=device)
    return lambda: envs.step(actions)


def single_step(device: str, *, times: int) -> Call:
    """Step an environment of one episode."""
    settings: dict[str, Any] = {
        "dataset": noise(1000),
        "model": ensemble(OBS_DIM),
        "termination": "never",
        "device": device,
    }
    env = gym.make("PenalizedModel-v0", disable_env_checker=True, **settings)
    env.reset(seed=0)
    action = np.zeros(ACTION_DIM, np.float32)
    return lambda: [env.step(action) for _ in range(times)]


def vector_views(rows: int, device: str) -> Pair:
    """A vector environment, and the same seen by Stable-Baselines3, as long as a rollout."""
    envs = vector_env(noise(1000), ensemble(OBS_DIM), rows, device)
    view = SB3VecEnv(vector_env(noise(1000), ensemble(OBS_DIM), rows, device))
    view.reset()
    actions = np.zeros((rows, ACTION_DIM), np.float32)
    return Pair(partial(rollout, envs, actions), partial(rollout, view, actions))


def rollout(env: Any, actions: NDArray[np.float32], steps: int = 5) -> None:
    """Step as often as a rollout is long."""
    for _ in range(steps):
        env.step(actions)


def agents(device: str, updates: int = 10) -> Pair:
    """Gradient steps of Stable-Baselines3's SAC and of FastSAC."""
    data = calm_transitions(TASKS["hopper"])
    base, fast = (partial(updates_of(kind, data, device), updates) for kind in (SAC, FastSAC))
    return Pair(base, fast)


def fits(device: str) -> Pair:
    """An epoch of the fit, and the products of its gradient steps forward and back."""
    data, settings = random_transitions(3000, OBS_DIM, ACTION_DIM), FitSettings(max_epochs=1)
    layers = layer_products(settings.batch_size, device)
    n_train = len(data) - len(data) // 5
    times = 3

    def reference() -> None:
        for _ in range(times):
            forward_and_back(layers)

    call = partial(fit, data, fit_settings=settings, device=device, progress=False)
    return Pair(reference, call, n_train / (times * settings.batch_size))


def table(ratios: Mapping[str, float], bounds: Mapping[str, float], title: str) -> Table:
    """Lay out one row a ratio."""
    grid = Table(title=title)
    for column in ("speed", "ratio", "bound", ""):
        grid.add_column(column, justify="left" if column in ("speed", "") else "right")
    for name, ratio in ratios.items():
        bound = bounds.get(name)
        mark = "" if bound is None else "ok" if ratio >= bound else "too slow"
        grid.add_row(name, f"{ratio:.2f}", "" if bound is None else f"{bound:.2f}", mark)
    return grid


if __name__ == "__main__":
    typer.run(main)
