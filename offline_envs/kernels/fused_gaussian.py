"""`fused_gaussian`: networks that predict a Gaussian, all layers in one Triton kernel."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

WIDEST_FUSED = 256
"""Units of the widest layer: the values of two layers of a tile have to fit into registers."""

SMALLEST_PART = 16
"""Columns that a tensor core takes at least."""

Layer = tuple[Tensor, Tensor]
"""Weight `(N, n_inputs, n_outputs)` and bias `(N, 1, n_outputs)` of N networks."""


class GaussianNetworks(NamedTuple):
    """N networks of SiLU from (obs, action) to Gaussians: the parameters themselves, no copies."""

    centre: Tensor  # (d + k,), subtracted from (obs, action)
    scale: Tensor  # (d + k,), by which the difference is divided
    trunk: Sequence[Layer]  # contiguous
    mean: Layer  # rows of the weight may be further apart than their length, as those of one head for both
    logvar: Layer  # as far apart
    low: Tensor  # (n_outputs,), soft bounds of the log-variance, see `LogVarianceBounds.std`
    high: Tensor


class Tile(NamedTuple):
    """The part of the work of one program of the kernel; all numbers are powers of two."""

    n_rows: int
    widest_part: int  # columns of a layer that one product takes
    n_warps: int


FEW_ROWS = 16_384
"""Rows below which large tiles would leave a large GPU partly idle."""

SMALL_TILE = Tile(64, 64, 4)

TILES: Mapping[str, Tile] = MappingProxyType(
    {"float32": SMALL_TILE, "tf32": SMALL_TILE, "bfloat16": Tile(128, 64, 8)}
)
"""The tile of many rows by precision, chosen by what compilers report for a compute capability of 9.0."""


def has_triton() -> bool:
    """Whether Triton is installed; PyTorch for CUDA on Linux brings it."""
    return find_spec("triton") is not None


def parts_of(width: int, widest: int) -> tuple[tuple[int, int], ...]:
    """Cut columns into powers of two, the largest first.

    Args:
        width: Number of columns; columns are added up to the next multiple of `SMALLEST_PART`.
        widest: Size of the largest part, a power of two of at least `SMALLEST_PART`.

    Returns:
        First column and size of each part.
    """
    parts, start, end = [], 0, -(-width // SMALLEST_PART) * SMALLEST_PART
    while start < end:
        size = min(widest, 1 << ((end - start).bit_length() - 1))
        parts.append((start, size))
        start += size
    return tuple(parts)


def _parts_of_layers(widths: Sequence[int], widest: int) -> dict[str, tuple[int, ...]]:
    """The parts of all layers as the kernel takes them: flat, since Triton 3.6 refuses nested tuples."""
    layers = [parts_of(width, widest) for width in widths]
    parts = [part for layer in layers for part in layer]
    return {
        "OFFSETS": (0, *accumulate(len(layer) for layer in layers)),
        "STARTS": tuple(start for start, _ in parts),
        "SIZES": tuple(size for _, size in parts),
    }


def fused_gaussian(
    networks: GaussianNetworks,
    obs: Tensor,
    action: Tensor,
    members: Tensor | None = None,
    *,
    precision: str,
    tile: Tile | None = None,
) -> tuple[Tensor, Tensor]:
    """Predict means and standard deviations, without gradients; activations never reach the device's memory.

    The first call with a precision and with networks of other sizes compiles for up to a minute. Triton keeps
    the result on disk.

    Args:
        networks: The networks; parameters in float32, on a CUDA device that has TF32.
        obs: Observations, float32 `(B, d)`, on the same device.
        action: Actions, float32 `(B, k)`.
        members: Index of the M networks to ask, int64 `(M,)`; None for all.
        precision: What factors of products are rounded to, a key of `TILES`: `"float32"` is three products
            of TF32, whose sum is as exact; with `"bfloat16"` the last product is TF32.
        tile: Part of the work of one program; by default from `TILES`.

    Returns:
        Mean and deviation, float32 `(M, B, n_outputs)` each.
    """
    kernel = import_module("offline_envs.kernels.fused_kernel").predict_tile  # there only with Triton
    tile = tile or (SMALL_TILE if len(obs) < FEW_ROWS else TILES[precision])
    n_members = len(networks.mean[0]) if members is None else len(members)
    n_outputs = len(networks.low)
    widths = (len(networks.centre), *(weight.shape[2] for weight, _ in networks.trunk), n_outputs)
    mean, std = (obs.new_empty(n_members, len(obs), n_outputs) for _ in range(2))
    grid = (-(-len(obs) // tile.n_rows), n_members)
    with torch.cuda.device(obs.device) if obs.is_cuda else nullcontext():
        kernel[grid](
            (obs.contiguous(), action.contiguous()),
            (networks.centre, networks.scale),
            tuple(networks.trunk),
            networks.mean,
            networks.logvar,
            (networks.low, networks.high),
            members,
            (mean, std),
            len(obs),
            OBS_DIM=obs.shape[1],
            WIDTHS=widths,
            **_parts_of_layers(widths, tile.widest_part),
            HEAD_WIDTH=networks.mean[0].stride(1),
            PRECISION=precision,
            TILE=tile.n_rows,
            num_warps=tile.n_warps,
        )
    return mean, std
