"""Gradient steps a second of SAC, `FastSAC` and its subclasses, and the products that none of them can avoid.

All take turns in one process, a few steps each. A figure is the median over the turns, and a ratio the median
of the ratios within them, so that other load on the machine cancels out.

- SAC, FastSAC: `train` with batches from `MixedReplayBuffer`.
- products: the matrix products of a step and nothing else, as `FastSAC` calls them.
- PyTorch's products: the same as `torch.bmm` computes them.
- MOBILE: the same with a penalty from 10 successors of each of 5 elites for every row of the model; its floor
  are the products of FastSAC and those of the model, the actor and the targets at these states.
- SAC and FastSAC with 10 critics; RAVL, which has 10 as well, with η 0 and 1; COMBO.
- "in bfloat16": the same agents with `precision="bfloat16"`; shares are of products in float32.
- OfflineRL-Kit: `policy.learn` with batches from its two buffers.
"""

import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import gymnasium as gym
import torch
import typer
from rich.console import Console
from rich.table import Table
from run_shares import BATCH, REAL_RATIO, TASKS, calm_model, calm_transitions, kit_update
from stable_baselines3 import SAC
from stable_baselines3.common.logger import configure
from timing import seconds_by_turn

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleSettings
from offline_envs.kernels.products import affine, input_gradient, weight_gradient
from offline_envs.mdp import row_chunks
from offline_envs.sb3 import COMBO, MOBILE, RAVL, FastSAC, MixedReplayBuffer, SB3VecEnv

BASE = "SAC"
WIDTH = 256
N_SUCCESSORS = 10
N_CRITICS = 10
N_CANDIDATES = 30
FLOORS = {
    "MOBILE": "MOBILE's products",
    "COMBO": "COMBO's products",
    **dict.fromkeys(
        ("SAC, 10 critics", "FastSAC, 10 critics", "RAVL, η 0", "RAVL, η 1"), "10 critics' products"
    ),
}
"""The products that a candidate cannot avoid, where they are not those of SAC."""

ROUNDED = " in bfloat16"

Updates = Callable[[int], object]
"""Takes a number of gradient steps."""


def main(
    task: Annotated[str, typer.Option(help="hopper or halfcheetah.")] = "halfcheetah",
    updates: Annotated[int, typer.Option(help="Gradient steps in a turn.", min=1)] = 20,
    rounds: Annotated[int, typer.Option(help="Turns of each.", min=1)] = 15,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    offlinerl_kit: Annotated[Path | None, typer.Option(help="Checkout of OfflineRL-Kit, on the CPU.")] = None,
) -> None:
    """Measure all candidates and print a table."""
    if threads:
        torch.set_num_threads(threads)
    if task not in TASKS:
        raise typer.BadParameter(f"--task must be one of {', '.join(TASKS)}, got {task!r}.")
    data = calm_transitions(TASKS[task])
    products = partial(Products, data.obs_dim, data.action_dim, device, own=True)
    candidates: dict[str, Updates] = {
        BASE: updates_of(SAC, data, device),
        "FastSAC": updates_of(FastSAC, data, device),
        "products": products(),
        "PyTorch's products": Products(data.obs_dim, data.action_dim, device, own=False),
    }
    candidates |= {
        "SAC, 10 critics": updates_of(SAC, data, device, n_critics=N_CRITICS),
        "FastSAC, 10 critics": updates_of(FastSAC, data, device, n_critics=N_CRITICS),
        "RAVL, η 0": updates_of(RAVL, data, device, n_critics=N_CRITICS, diversity=0.0),
        "RAVL, η 1": updates_of(RAVL, data, device, n_critics=N_CRITICS, diversity=1.0),
        "10 critics' products": products(n_critics=N_CRITICS),
        "COMBO": updates_of(COMBO, data, device),
        "COMBO's products": products(learned_rows=BATCH * (1 + N_CANDIDATES)),
    }
    candidates["MOBILE"] = updates_of(MOBILE, data, device, n_successors=N_SUCCESSORS)
    kinds: dict[str, tuple[type[SAC], int]] = {
        "FastSAC": (FastSAC, 2), "RAVL, η 1": (RAVL, N_CRITICS), "COMBO": (COMBO, 2), "MOBILE": (MOBILE, 2)
    }  # fmt: skip
    for name, (kind, n_critics) in kinds.items():
        rounded = updates_of(kind, data, device, n_critics=n_critics, precision="bfloat16")
        candidates[name + ROUNDED] = rounded
    candidates["MOBILE's products"] = MobileProducts(data.obs_dim, data.action_dim, device, own=True)
    if offlinerl_kit:
        candidates["OfflineRL-Kit"] = kit_update(offlinerl_kit, data)
    calls = {name: partial(update, updates) for name, update in candidates.items()}
    seconds = seconds_by_turn(calls, rounds, device)
    title = f"SAC in {task}, batch {BATCH}, networks 2x{WIDTH}, {device}, {torch.get_num_threads()} threads"
    Console().print(table(seconds, updates, title))


def updates_of(
    kind: type[SAC], data: Transitions, device: str, *, n_critics: int = 2, **options: Any
) -> Updates:
    """Make an agent whose buffer holds the dataset and a few rows of the model."""
    model = calm_model(data.obs_dim, data.action_dim)
    envs = gym.make_vec("LearnedModel-v0", dataset=data, model=model, device=device)
    replay: Any = {"dataset": data, "real_ratio": REAL_RATIO}
    agent = kind(
        "MlpPolicy",
        SB3VecEnv(envs),
        buffer_size=100,
        seed=0,
        device=device,
        policy_kwargs={"net_arch": [WIDTH, WIDTH], "n_critics": n_critics},
        replay_buffer_class=MixedReplayBuffer,
        replay_buffer_kwargs=replay,
        **options,
    )
    agent.set_logger(configure(None, []))
    agent.learn(20, log_interval=sys.maxsize)  # fewer steps than `learning_starts`
    return lambda n: agent.train(n, BATCH)


class Products:
    """The matrix products of SAC's gradient step.

    Args:
        obs_dim: Width of an observation.
        action_dim: Width of an action.
        device: Where they are computed.
        own: Whether to use the products of `FastSAC`.
        n_critics: Number of critics.
        learned_rows: Rows at which the critics learn.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        device: str,
        *,
        own: bool,
        n_critics: int = 2,
        learned_rows: int = BATCH,
    ) -> None:
        self.own = own
        actor, critic = (obs_dim, WIDTH, WIDTH, 2 * action_dim), (obs_dim + action_dim, WIDTH, WIDTH, 1)
        # FastSAC computes the actor at obs and at next_obs in one pass.
        self.actor_forward = _network(1, 2 * BATCH, actor, device)
        self.actor = _network(1, BATCH, actor, device)
        self.critic = _network(n_critics, BATCH, critic, device)
        self.learned_critic = _network(n_critics, learned_rows, critic, device)

    def __call__(self, updates: int) -> None:
        """Compute those of that many steps: actor, targets, critics and back, critics and actor and back."""
        for _ in range(updates):
            for network in (self.actor_forward, self.critic, self.learned_critic, self.critic):
                self._forward(network)
            self._backward(self.learned_critic, parameters=True)
            self._backward(self.critic, parameters=False)
            self._backward(self.actor, parameters=True)

    def _forward(self, layers: list[tuple[torch.Tensor, ...]]) -> None:
        for inputs, weight, bias, _, _ in layers:
            affine(inputs, weight, bias) if self.own else torch.baddbmm(bias, inputs, weight.mT)

    def _backward(self, layers: list[tuple[torch.Tensor, ...]], *, parameters: bool) -> None:
        for depth, (inputs, weight, _, grad, out) in enumerate(layers):
            if parameters and self.own:
                weight_gradient(grad, inputs, out=out)
            elif parameters:
                torch.bmm(grad.mT, inputs, out=out)
            if depth > 0:
                input_gradient(grad, weight) if self.own else torch.bmm(grad, weight)


class MobileProducts(Products):
    """The matrix products of MOBILE's gradient step: those of SAC, and those of its penalty.

    Rows of the penalty are computed in the chunks of `MOBILE`.

    Args:
        obs_dim: Width of an observation.
        action_dim: Width of an action.
        device: Where they are computed.
        own: Whether to use the products of `FastSAC`.
    """

    def __init__(self, obs_dim: int, action_dim: int, device: str, *, own: bool) -> None:
        super().__init__(obs_dim, action_dim, device, own=own)
        settings = EnsembleSettings()
        n_rows = BATCH - int(BATCH * REAL_RATIO)
        widths = (obs_dim + action_dim, *settings.hidden, 2 * (1 + obs_dim))
        self.members = _network(settings.n_elites, n_rows, widths, device)
        every = torch.empty(n_rows * settings.n_elites * N_SUCCESSORS, device=device)
        actor, critic = (obs_dim, WIDTH, WIDTH, 2 * action_dim), (obs_dim + action_dim, WIDTH, WIDTH, 1)
        self.chunks = [
            (_network(1, len(rows), actor, device), _network(2, len(rows), critic, device))
            for (rows,) in row_chunks(every)
        ]

    def __call__(self, updates: int) -> None:
        """Compute those of that many steps."""
        super().__call__(updates)
        for _ in range(updates):
            self._forward(self.members)
            for actor, targets in self.chunks:
                self._forward(actor)
                self._forward(targets)


def _network(n: int, rows: int, widths: tuple[int, ...], device: str) -> list[tuple[torch.Tensor, ...]]:
    """For each layer: inputs, weight, bias, gradient of the outputs and a place for the weight's."""
    layers = []
    for n_inputs, n_outputs in pairwise(widths):
        shapes = ((n, rows, n_inputs), (n, n_outputs, n_inputs), (n, 1, n_outputs), (n, rows, n_outputs))
        made = [torch.randn(shape, device=device) for shape in shapes]
        layers.append((*made, torch.empty_like(made[1])))
    return layers


def table(seconds: dict[str, list[float]], updates: int, title: str) -> Table:
    """Lay out one row a candidate."""
    grid = Table(title=title)
    for column in ("", "updates/s", f"times {BASE}", "share of products"):
        grid.add_column(column, justify="left" if not column else "right")
    for name, own in seconds.items():
        speed = median(base / spent for base, spent in zip(seconds[BASE], own, strict=True))
        floors = seconds[FLOORS.get(name.removesuffix(ROUNDED), "products")]
        share = median(floor / spent for floor, spent in zip(floors, own, strict=True))
        grid.add_row(name, f"{updates / median(own):.1f}", f"{speed:.2f}x", f"{share:.0%}")
    return grid


if __name__ == "__main__":
    typer.run(main)
