"""The kernel for all layers on a GPU under other tiles than its own, beside the plain prediction.

The default ensemble in HalfCheetah's sizes, without the rest of a step, replayed as graphs. Each tile is
compiled first, for a minute or two. The best ones belong into `TILES` of `kernels/fused_gaussian.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import torch
import typer
from device_step import BATCHES, floor, seconds_a_call
from model_step import ACTION_DIM, OBS_DIM
from rich.console import Console
from rich.table import Table
from timing import device_name
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics
from offline_envs.dynamics.ensemble.fused import networks_of, obstacle
from offline_envs.dynamics.ensemble.precision import PRECISIONS
from offline_envs.kernels.captured_call import WARM_UP_CALLS, CapturedCall
from offline_envs.kernels.fused_gaussian import SMALL_TILE, TILES, Tile, fused_gaussian

CANDIDATES = (
    SMALL_TILE,
    Tile(64, 32, 4),
    Tile(64, 64, 8),
    Tile(64, 128, 4),
    Tile(128, 64, 8),
    Tile(128, 128, 8),
)


def main(
    batch: Annotated[list[int] | None, typer.Option(help="Rows; may be repeated.", min=1)] = None,
    precision: Annotated[list[str] | None, typer.Option(help="float32, tf32 or bfloat16; repeat.")] = None,
    device: Annotated[str, typer.Option(help="A CUDA device.")] = "cuda",
    calls: Annotated[int, typer.Option(help="Calls that are measured together.", min=1)] = 100,
) -> None:
    """Measure every tile and print a table."""
    if not torch.cuda.is_available():
        raise typer.BadParameter("Tiles are measured on a CUDA device, and there is none.")
    model = EnsembleDynamics(OBS_DIM, ACTION_DIM).requires_grad_(False).to(device)
    if reason := obstacle(model):
        raise typer.BadParameter(f"The kernel cannot run: {reason}.")
    grid = Table(title=f"All layers of the default ensemble on {device_name(device)}")
    for column in ("precision", "batch", "candidate", "µs", "rows/s"):
        grid.add_column(column, justify="right" if column in ("µs", "rows/s") else "left")
    for name in precision or PRECISIONS:
        for n in batch or BATCHES:
            for label, call in candidates(model, name, n, device).items():
                seconds_a_call(call, WARM_UP_CALLS + 2, device)
                seconds = min(seconds_a_call(call, calls, device) for _ in range(5))
                grid.add_row(name, f"{n:,}", label, f"{1e6 * seconds:,.0f}", f"{n / seconds:,.0f}")
    Console().print(grid)


def candidates(
    model: EnsembleDynamics, precision: str, n: int, device: str
) -> dict[str, Callable[[], object]]:
    """What is measured on `n` rows, by its label."""
    obs, action = torch.randn(n, OBS_DIM, device=device), torch.randn(n, ACTION_DIM, device=device)

    def plain(obs: Tensor, action: Tensor) -> object:
        return PRECISIONS[precision](model, obs, action, None)

    found: dict[str, Callable[[], object]] = {"products": floor(precision, n, device)}
    found["layer by layer"] = partial(CapturedCall(plain, name="layers"), obs, action)
    for tile in dict.fromkeys((TILES[precision], *CANDIDATES)):
        fused = partial(fused_gaussian, networks_of(model), precision=precision, tile=tile)
        found[str(tile)] = partial(CapturedCall(fused, name="the kernel"), obs, action)
    return found


if __name__ == "__main__":
    typer.run(main)
