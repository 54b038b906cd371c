"""`networks`: the layers of all members as one function with a gradient."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from offline_envs.dynamics.ensemble.hidden import PLAIN, Activation, Hidden
from offline_envs.kernels import calls_onednn, linear, norm_gradient, normed_rows

Layers = Sequence[tuple[Tensor, Tensor]]
"""Weight `(N, n_inputs, n_outputs)` and bias `(N, 1, n_outputs)` of each layer."""


def networks(inputs: Tensor, layers: Layers, hidden: Hidden = PLAIN) -> Tensor:
    """Compute outputs of every member, with first-order gradients.

    Where products come from oneDNN, members are computed one after the other, so that their
    activations stay in cache, and autograd records a single operation: for layers this small the
    overhead of recording each would be considerable.

    Args:
        inputs: Inputs of each member, `(N, B, n_inputs)`.
        layers: Layers of all members, from input to output.
        hidden: What follows each layer but the last; by default SiLU.

    Returns:
        Outputs of the last layer, `(N, B, n_outputs)`.
    """
    if any(calls_onednn(weight) for weight, _ in layers):
        if not torch.is_grad_enabled():
            return _one_by_one(inputs, layers, hidden, None)  # keeps nothing of a hundred members
        parts = [part for pair in (*layers, *hidden.norms) for part in pair]
        apart: Tensor = _Apart.apply(inputs, hidden.activation, len(layers), *parts)  # type: ignore[no-untyped-call]
        return apart
    *trunk, (weight, bias) = layers
    for depth, (layer_weight, layer_bias) in enumerate(trunk):
        inputs = hidden(depth, torch.baddbmm(layer_bias, inputs, layer_weight))
    return torch.baddbmm(bias, inputs, weight)


def rounded_networks(inputs: Tensor, layers: Layers, dtype: torch.dtype, hidden: Hidden = PLAIN) -> Tensor:
    """Compute outputs of every member with hidden layers in `dtype`, by one batched product each.

    Weights are rounded at every call, so changes to them take effect immediately. The last product is
    float32: it is the cheapest, and rounding it would make the means three times less exact.

    Args:
        inputs: Inputs of each member, `(N, B, n_inputs)`, or `(1, B, n_inputs)` for all.
        layers: See `networks`.
        dtype: Dtype of the hidden layers' weights, biases and activations, and of their gradients.
        hidden: See `networks`.

    Returns:
        Outputs of the last layer, float32 `(N, B, n_outputs)`.
    """
    *trunk, (weight, bias) = layers
    values = inputs.to(dtype).expand(len(weight), -1, -1)
    for depth, (layer_weight, layer_bias) in enumerate(trunk):
        # Fused, because the sum is then rounded once.
        values = torch.baddbmm(layer_bias.to(dtype), values, layer_weight.to(dtype))
        # In place unless a gradient needs both: new memory doubles the time of a thousand rows on a CPU.
        values = hidden(depth, values, inplace=not torch.is_grad_enabled())
    return torch.baddbmm(bias, values.float(), weight)


class _Apart(torch.autograd.Function):
    """One member after the other, with the gradient written out.

    `parts` are weight and bias of each layer, then gain and shift of each normalisation.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, activation: Activation, n_layers: int, *parts: Tensor) -> Tensor:
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        kept: list[Tensor] = []
        outputs = _one_by_one(inputs, pairs[:n_layers], Hidden(activation, pairs[n_layers:]), kept)
        ctx.activation, ctx.n_layers = activation, n_layers
        ctx.save_for_backward(inputs, *(first for first, _ in pairs), *kept)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        n_layers, n_hidden = ctx.n_layers, ctx.n_layers - 1
        n_pairs = (len(ctx.needs_input_grad) - 3) // 2
        inputs, *rest = ctx.saved_tensors
        weights, gains, kept = rest[:n_layers], rest[n_layers:n_pairs], rest[n_pairs:]
        n_kept = 5 if gains else 2
        gradients = [
            (torch.empty_like(first), first.new_empty(len(first), 1, first.shape[2]))
            for first in (*weights, *gains)
        ]
        input_grad = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        for i in range(len(inputs)):
            own = kept[i * n_hidden * n_kept : (i + 1) * n_hidden * n_kept]
            layers = [own[start : start + n_kept] for start in range(0, len(own), n_kept)]
            descending = grad[i]
            for depth in range(n_hidden, -1, -1):
                weight_grad, bias_grad = gradients[depth]
                values = layers[depth - 1][-1] if depth > 0 else inputs[i]
                weight_grad[i] = linear(values.t(), descending.t())
                torch.sum(descending, 0, out=bias_grad[i, 0])
                if depth > 0:
                    descending = linear(descending, weights[depth][i])
                    gain = gains[depth - 1][i, 0] if gains else None
                    descending, *norm = _back_through(layers[depth - 1], descending, ctx.activation, gain)
                    if norm:
                        gain_grad, shift_grad = gradients[n_hidden + depth]
                        gain_grad[i, 0], shift_grad[i, 0] = norm
            if input_grad is not None:
                input_grad[i] = linear(descending, weights[0][i])
        return input_grad, None, None, *(part for pair in gradients for part in pair)


def _one_by_one(inputs: Tensor, layers: Layers, hidden: Hidden, kept: list[Tensor] | None) -> Tensor:
    """Outputs of one member after the other; `kept` gets, layer by layer, what `_back_through` needs."""
    *trunk, (weight, bias) = layers
    outputs = inputs.new_empty(*inputs.shape[:2], weight.shape[2])
    for i, values in enumerate(inputs):
        for depth, (layer_weight, layer_bias) in enumerate(trunk):
            before = linear(values, layer_weight[i].t(), layer_bias[i, 0])
            passed = [before]
            if hidden.norms:
                gain, shift = (part[i, 0] for part in hidden.norms[depth])
                before, *moments = normed_rows(before, gain, shift)
                passed += [*moments, before]
            values = hidden.activation.function(before)
            if kept is not None:
                kept += [*passed, values]
        outputs[i] = linear(values, weight[i].t(), bias[i, 0])
    return outputs


def _back_through(
    kept: Sequence[Tensor], grad: Tensor, activation: Activation, gain: Tensor | None
) -> tuple[Tensor, ...]:
    """Gradient of a hidden layer's product from that of its output, then those of gain and shift, if any."""
    grad = activation.backward(grad, kept[-2])
    if gain is None:
        return (grad,)
    product, mean, rstd = kept[:3]
    return norm_gradient(grad, product, mean, rstd, gain)
