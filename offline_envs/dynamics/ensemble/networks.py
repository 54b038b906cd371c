"""`networks`: the layers of all members as one function with a gradient."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from offline_envs.kernels import calls_onednn, linear

Layers = Sequence[tuple[Tensor, Tensor]]
"""Weight `(N, n_inputs, n_outputs)` and bias `(N, 1, n_outputs)` of each layer."""


def networks(inputs: Tensor, layers: Layers) -> Tensor:
    """Compute outputs of every member, SiLU between the layers, with first-order gradients.

    Where products come from oneDNN, members are computed one after the other, so that their
    activations stay in cache, and autograd records a single operation: for layers this small the
    overhead of recording each would be considerable.

    Args:
        inputs: Inputs of each member, `(N, B, n_inputs)`.
        layers: Layers of all members, from input to output.

    Returns:
        Outputs of the last layer, `(N, B, n_outputs)`.
    """
    if any(calls_onednn(weight) for weight, _ in layers):
        parts = [part for layer in layers for part in layer]
        apart: Tensor = _Apart.apply(inputs, *parts)  # type: ignore[no-untyped-call]
        return apart
    *trunk, (weight, bias) = layers
    for layer_weight, layer_bias in trunk:
        inputs = functional.silu(torch.baddbmm(layer_bias, inputs, layer_weight))
    return torch.baddbmm(bias, inputs, weight)


def rounded_networks(inputs: Tensor, layers: Layers, dtype: torch.dtype) -> Tensor:
    """Compute outputs of every member with hidden layers in `dtype`, by one batched product each.

    Weights are rounded at every call, so changes to them take effect immediately. The last product is
    float32: it is the cheapest, and rounding it would make the means three times less exact.

    Args:
        inputs: Inputs of each member, `(N, B, n_inputs)`, or `(1, B, n_inputs)` for all.
        layers: See `networks`.
        dtype: Dtype of the hidden layers' weights, biases and activations, and of their gradients.

    Returns:
        Outputs of the last layer, float32 `(N, B, n_outputs)`.
    """
    *trunk, (weight, bias) = layers
    hidden = inputs.to(dtype).expand(len(weight), -1, -1)
    for layer_weight, layer_bias in trunk:
        # Fused, because the sum is then rounded once.
        hidden = torch.baddbmm(layer_bias.to(dtype), hidden, layer_weight.to(dtype))
        # In place unless a gradient needs both: new memory doubles the time of a thousand rows on a CPU.
        hidden = functional.silu(hidden, inplace=not torch.is_grad_enabled())
    return torch.baddbmm(bias, hidden.float(), weight)


class _Apart(torch.autograd.Function):
    """One member after the other, with the gradient written out."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, *parts: Tensor) -> Tensor:
        *trunk, (weight, bias) = layers = list(zip(parts[::2], parts[1::2], strict=True))
        outputs = inputs.new_empty(*inputs.shape[:2], weight.shape[2])
        kept: list[Tensor] = []  # inputs and outputs of each SiLU, member by member
        for i, hidden in enumerate(inputs):
            for layer_weight, layer_bias in trunk:
                before = linear(hidden, layer_weight[i].t(), layer_bias[i, 0])
                hidden = functional.silu(before)
                kept += [before, hidden]
            outputs[i] = linear(hidden, weight[i].t(), bias[i, 0])
        ctx.save_for_backward(inputs, *(layer_weight for layer_weight, _ in layers), *kept)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, *rest = ctx.saved_tensors
        n_layers = (len(ctx.needs_input_grad) - 1) // 2
        weights, kept = rest[:n_layers], rest[n_layers:]
        gradients = [(torch.empty_like(w), w.new_empty(len(w), 1, w.shape[2])) for w in weights]
        input_grad = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        n_kept = 2 * (n_layers - 1)
        for i in range(len(inputs)):
            own = kept[i * n_kept : (i + 1) * n_kept]
            values = [inputs[i], *own[1::2]]
            last = _descend(i, weights, values, own[::2], grad[i], gradients)
            if input_grad is not None:
                input_grad[i] = linear(last, weights[0][i])
        return input_grad, *(part for layer in gradients for part in layer)


def _descend(
    i: int,
    weights: Sequence[Tensor],
    values: Sequence[Tensor],
    before: Sequence[Tensor],
    grad: Tensor,
    gradients: Layers,
) -> Tensor:
    """Write the gradients of member `i`, and return that of the first layer's outputs."""
    for depth in range(len(weights) - 1, -1, -1):
        weight_grad, bias_grad = gradients[depth]
        weight_grad[i] = linear(values[depth].t(), grad.t())
        torch.sum(grad, 0, out=bias_grad[i, 0])
        if depth > 0:
            grad = torch.ops.aten.silu_backward(linear(grad, weights[depth][i]), before[depth - 1])
    return grad
