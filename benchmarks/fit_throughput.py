"""Rows per second of the ensemble's fit against the matrix products that it cannot avoid.

These are one product forward and two backward for every layer, on the same shapes and nothing else:

- products: as the fit computes them.
- PyTorch's products: one `torch.bmm` a layer, into memory that exists already.
- with `--bfloat16`, the fit of that precision, and its products by `torch.bmm`, the last layer's in float32.

With `--offlinerl-kit`, a checkout of OfflineRL-Kit is measured as well.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import torch
import typer
from gymnasium.spaces import Box
from peers import kit_unfitted
from rich.console import Console
from rich.table import Table
from timing import synchronize

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, fit
from offline_envs.kernels.products import calls_onednn, linear

HOLDOUT = FitSettings().holdout
"""Rows on which both fits score their members after an epoch."""


def main(
    obs_dim: Annotated[int, typer.Option(help="Observation dimensions; the default is HalfCheetah's.")] = 17,
    action_dim: Annotated[int, typer.Option(help="Action dimensions.")] = 6,
    rows: Annotated[int, typer.Option(help="Transitions of the random dataset.")] = 40_000,
    rounds: Annotated[int, typer.Option(help="Measurements of each candidate, in turn.")] = 5,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 0,
    device: Annotated[str, typer.Option(help="Device of fit and floor.")] = "cpu",
    bfloat16: Annotated[bool, typer.Option(help="Measure that precision as well.")] = False,
    offlinerl_kit: Annotated[Path | None, typer.Option(help="Checkout of OfflineRL-Kit.")] = None,
) -> None:
    """Measure the fit of the default ensemble and print a table."""
    if threads:
        torch.set_num_threads(threads)
    data = random_transitions(rows, obs_dim, action_dim)
    candidates: dict[str, Callable[[], float]] = {
        "products": floor(data, device, own=True),
        "PyTorch's products": floor(data, device, own=False),
        "offline-envs fit": lambda: one_epoch(data, device),
    }
    if bfloat16:
        candidates["products in bfloat16"] = floor(data, device, own=False, dtype=torch.bfloat16)
        candidates["offline-envs fit in bfloat16"] = lambda: one_epoch(data, device, precision="bfloat16")
    if offlinerl_kit:
        candidates["OfflineRL-Kit fit"] = kit_epoch(data, offlinerl_kit, device)
    speeds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, measure in candidates.items():
            speeds[name].append(measure())
    show(speeds, f"Fit of {obs_dim}+{action_dim} dimensions, {torch.get_num_threads()} threads, {device}")


def random_transitions(n: int, obs_dim: int, action_dim: int) -> Transitions:
    """Transitions of noise: the speed does not depend on the values."""
    generator = torch.Generator().manual_seed(0)
    obs, delta = torch.randn(2, n, obs_dim, generator=generator)
    actions = torch.rand(n, action_dim, generator=generator) * 2 - 1
    return Transitions(
        obs=obs,
        actions=actions,
        rewards=obs[:, 0].clone(),
        next_obs=obs + delta,
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.tensor([0]),
        action_space=Box(-1, 1, (action_dim,)),
    )


def one_epoch(data: Transitions, device: str, *, precision: str = "float32") -> float:
    """Rows per second of the first epoch of a fit, holdout included."""
    settings = FitSettings(max_epochs=1, precision=precision)
    report = fit(data, fit_settings=settings, device=device, progress=False).report
    return report.n_train / report.seconds


def floor(
    data: Transitions, device: str, *, own: bool, dtype: torch.dtype = torch.float32, steps: int = 100
) -> Callable[[], float]:
    """Measurement of the products of `steps` gradient steps, those of all layers but the last in `dtype`."""
    settings, batch = EnsembleSettings(), FitSettings().batch_size
    widths = [data.obs_dim + data.action_dim, *settings.hidden, 2 * (1 + data.obs_dim)]
    kind = OwnProducts if own and calls_onednn(torch.empty(4, 4, device=device)) else Products
    shapes = [(settings.n_members, batch, i, o) for i, o in pairwise(widths)]
    layers = [*(kind(*shape, device, dtype) for shape in shapes[:-1]), kind(*shapes[-1], device)]

    def measure() -> float:
        synchronize(device)
        start = time.perf_counter()
        for _ in range(steps):
            forward_and_back(layers)
        synchronize(device)
        return steps * batch / (time.perf_counter() - start)

    return measure


def forward_and_back(layers: Sequence["Products"]) -> None:
    """Compute the products of one gradient step."""
    for layer in layers:
        layer.forward()
    for layer in layers[:0:-1]:
        layer.backward()
    layers[0].backward(inputs=False)  # The gradient of the dataset is not needed.


class Products:
    """The three products of one layer, on memory of their own."""

    def __init__(
        self,
        n_members: int,
        batch: int,
        n_inputs: int,
        n_outputs: int,
        device: str,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.inputs = torch.randn(n_members, batch, n_inputs, device=device, dtype=dtype)
        self.weight = torch.randn(n_members, n_inputs, n_outputs, device=device, dtype=dtype)
        self.outputs = torch.randn(n_members, batch, n_outputs, device=device, dtype=dtype)
        self.grad_inputs, self.grad_weight = torch.empty_like(self.inputs), torch.empty_like(self.weight)

    def forward(self) -> None:
        """Inputs times weight."""
        torch.bmm(self.inputs, self.weight, out=self.outputs)

    def backward(self, *, inputs: bool = True) -> None:
        """The gradients of weight and, if wanted, inputs."""
        torch.bmm(self.inputs.mT, self.outputs, out=self.grad_weight)
        if inputs:
            torch.bmm(self.outputs, self.weight.mT, out=self.grad_inputs)


class OwnProducts(Products):
    """The same, one member after the other, as the fit computes them where oneDNN is the faster library."""

    def forward(self) -> None:
        """Inputs times weight."""
        for inputs, weight in zip(self.inputs, self.weight, strict=True):
            linear(inputs, weight.t())

    def backward(self, *, inputs: bool = True) -> None:
        """The gradients of weight and, if wanted, inputs."""
        for own, weight, grad in zip(self.inputs, self.weight, self.outputs, strict=True):
            linear(own.t(), grad.t())
            if inputs:
                linear(grad, weight)


def kit_epoch(data: Transitions, checkout: Path, device: str) -> Callable[[], float]:
    """Measurement of one epoch of OfflineRL-Kit's own training code, imported from `checkout`."""
    dynamics = kit_unfitted(checkout, data.obs_dim, data.action_dim, ends=None, device=device)
    inputs = torch.cat([data.obs, data.actions], dim=-1).numpy()
    targets = torch.cat([data.next_obs - data.obs, data.rewards[:, None]], dim=-1).numpy()

    def measure() -> float:
        index = torch.randint(len(data), (dynamics.model.num_ensemble, len(data))).numpy()
        start = time.perf_counter()
        dynamics.learn(inputs[index], targets[index])
        dynamics.validate(inputs[:HOLDOUT], targets[:HOLDOUT])
        return len(data) / (time.perf_counter() - start)

    return measure


def show(speeds: dict[str, list[float]], title: str) -> None:
    """Print median speed, best speed, and the median ratio to the first candidate, round by round."""
    table = Table("", "rows/s (median)", "rows/s (best)", "share of products", title=title)
    floors = next(iter(speeds.values()))
    for name, values in speeds.items():
        share = statistics.median(v / f for v, f in zip(values, floors, strict=True))
        table.add_row(name, f"{statistics.median(values):,.0f}", f"{max(values):,.0f}", f"{share:.0%}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
