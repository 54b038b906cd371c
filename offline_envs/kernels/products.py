"""The three matrix products of a linear layer and its gradients, for several networks in one call."""

import platform
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from offline_envs.kernels.tracing import is_traced

LEAST_WIDTH = 4
"""Fewest inputs and outputs for which oneDNN's product is faster; below, its set-up dominates."""


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply one layer, x Wᵀ + b.

    Args:
        inputs: `(B, n_inputs)`.
        weight: `(n_outputs, n_inputs)`, as `nn.Linear` keeps it.
        bias: `(n_outputs,)`, or None for zero.

    Returns:
        `(B, n_outputs)`.
    """
    return _onednn(inputs, weight, bias) if calls_onednn(weight) else functional.linear(inputs, weight, bias)


def affine(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply each member's layer, x Wᵀ + b.

    Args:
        inputs: `(N, B, n_inputs)`.
        weight: `(N, n_outputs, n_inputs)`, as `nn.Linear` keeps each.
        bias: `(N, 1, n_outputs)`, or None for zero.

    Returns:
        `(N, B, n_outputs)`.
    """
    if not calls_onednn(weight):
        return torch.bmm(inputs, weight.mT) if bias is None else torch.baddbmm(bias, inputs, weight.mT)
    biases = [None] * len(weight) if bias is None else bias[:, 0]
    return _stacked([_onednn(inputs[i], weight[i], biases[i]) for i in range(len(weight))])


def input_gradient(grad: Tensor, weight: Tensor) -> Tensor:
    """Gradient with respect to the inputs, G W: `(N, B, n_outputs)` to `(N, B, n_inputs)`."""
    if not calls_onednn(weight):
        return torch.bmm(grad, weight)
    return _stacked([_onednn(grad[i], weight[i].t(), None) for i in range(len(weight))])


def weight_gradient(grad: Tensor, inputs: Tensor, *, out: Tensor) -> None:
    """Write the gradient with respect to the weights, Gᵀ X, into `out`, `(N, n_outputs, n_inputs)`."""
    if not calls_onednn(out):
        torch.bmm(grad.mT, inputs, out=out)
        return
    for i in range(len(out)):
        out[i].copy_(_onednn(grad[i].t(), inputs[i].t(), None))


def calls_onednn(weight: Tensor) -> bool:
    """Whether oneDNN computes products with a weight, `(..., n_outputs, n_inputs)` or its transpose.

    A graph never holds the private operator by which oneDNN is called: neither compilers nor ONNX know it.
    """
    if is_traced() or min(weight.shape[-2:]) < LEAST_WIDTH:
        return False
    return _onednn_is_faster(weight.device.type, weight.dtype)


def _onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    call: Any = torch.ops.mkldnn._linear_pointwise
    product: Tensor = call(inputs, weight, bias, "none", [], "")
    return product


def _stacked(members: list[Tensor]) -> Tensor:
    return members[0][None] if len(members) == 1 else torch.stack(members)


@cache
def _onednn_is_faster(device_type: str, dtype: torch.dtype) -> bool:
    """Return whether oneDNN is called directly.

    PyTorch multiplies float32 with MKL, which leaves half of the vector unit of AMD's processors with AVX-512
    unused; oneDNN does not. PyTorch exposes its product under a private name only, so it is tried once.
    """
    if device_type != "cpu" or dtype != torch.float32:
        return False
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not _is_of_amd():
        return False
    try:
        product = _onednn(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([5.0]))
    except (AttributeError, RuntimeError):
        return False
    return product.tolist() == [[16.0]]


def _is_of_amd() -> bool:
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return "AuthenticAMD" in platform.processor()
