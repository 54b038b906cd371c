from itertools import pairwise

import pytest
import torch
from torch import Tensor

from offline_envs.dynamics.ensemble.networks import networks, rounded_networks
from offline_envs.kernels import products

N, WIDTHS = 3, (5, 8, 6, 7)


@pytest.fixture(params=[True, False], ids=["one by one", "together"])
def apart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param and not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("this PyTorch has no oneDNN")
    monkeypatch.setattr(products, "_onednn_is_faster", lambda device, dtype: request.param)
    return bool(request.param)


def made(dtype: torch.dtype = torch.float32, rows: int = 10) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()

    inputs = draw(N, rows, WIDTHS[0])
    return inputs, [(draw(N, i, o), draw(N, 1, o)) for i, o in pairwise(WIDTHS)]


def test_outputs_and_gradients_are_those_of_separate_networks(apart: bool) -> None:
    inputs, layers = made()
    factor = torch.linspace(-1, 1, WIDTHS[-1])
    tensors = [inputs, *(part for layer in layers for part in layer)]
    outputs = networks(inputs, layers)
    gradients = torch.autograd.grad((outputs * factor).sum(), tensors)
    exact = []
    for i in range(N):
        hidden = inputs[i].double()
        for depth, (weight, bias) in enumerate(layers):
            hidden = hidden @ weight[i].double() + bias[i].double()
            if depth < len(layers) - 1:
                hidden = hidden / (1 + torch.exp(-hidden))  # SiLU, written out
        exact.append(hidden)
    expected = torch.stack(exact)
    torch.testing.assert_close(outputs.double(), expected, rtol=1e-4, atol=1e-5)
    for gradient, truth in zip(
        gradients, torch.autograd.grad((expected * factor).sum(), tensors), strict=True
    ):
        torch.testing.assert_close(gradient, truth, rtol=1e-4, atol=1e-4)


def test_one_by_one_is_chosen(apart: bool) -> None:
    outputs = networks(*made())
    assert ("Apart" in type(outputs.grad_fn).__name__) is apart


def test_inputs_that_need_no_gradient(apart: bool) -> None:
    inputs, layers = made()
    networks(inputs.detach(), layers).sum().backward()
    assert inputs.grad is None
    assert all(part.grad is not None and part.grad.abs().sum() > 0 for layer in layers for part in layer)


def test_inputs_shared_by_all_members(apart: bool) -> None:
    inputs, layers = made()
    shared = inputs.detach()[:1]
    torch.testing.assert_close(
        networks(shared.expand(N, -1, -1), layers), networks(shared.repeat(N, 1, 1), layers)
    )


def test_only_single_precision_is_computed_one_by_one() -> None:
    inputs, layers = made(torch.float64, rows=2)
    parts = [part for layer in layers for part in layer]

    def together(inputs: Tensor, *parts: Tensor) -> Tensor:
        return networks(inputs, list(zip(parts[::2], parts[1::2], strict=True)))

    assert torch.autograd.gradcheck(together, (inputs, *parts))


def test_narrow_inputs_do_not_keep_wide_layers_from_the_faster_library(apart: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    layers = [
        (torch.randn(2, i, o, generator=generator), torch.randn(2, 1, o, generator=generator))
        for i, o in ((3, 8), (8, 8), (8, 2))
    ]
    inputs = torch.randn(2, 4, 3, generator=generator, requires_grad=True)
    outputs = networks(inputs, layers)
    assert ("Apart" in type(outputs.grad_fn).__name__) is apart
    hidden = inputs
    for depth, (weight, bias) in enumerate(layers):
        hidden = hidden @ weight + bias
        hidden = hidden / (1 + torch.exp(-hidden)) if depth < 2 else hidden
    torch.testing.assert_close(outputs, hidden, rtol=1e-4, atol=1e-4)


def rounded(values: Tensor) -> Tensor:
    """Float64 values rounded to bfloat16's eight significant bits, halves to even."""
    mantissa, exponent = torch.frexp(values)
    return torch.ldexp((mantissa * 2**8).round() / 2**8, exponent)


def test_rounded_networks_round_hidden_layers_only() -> None:
    """Inputs, weights, biases, sums and activations of hidden layers are rounded, the last layer is not."""
    inputs, layers = made()
    outputs = rounded_networks(inputs, layers, torch.bfloat16)
    *trunk, (weight, bias) = [(w.detach().double(), b.detach().double()) for w, b in layers]
    hidden = rounded(inputs.detach().double())
    for layer_weight, layer_bias in trunk:
        before = rounded(hidden @ rounded(layer_weight) + rounded(layer_bias))
        hidden = rounded(before / (1 + torch.exp(-before)))
    expected = hidden @ weight + bias
    exact = networks(inputs, layers).detach().double()
    assert outputs.dtype == torch.float32
    error, unrounded_error = (outputs.detach() - expected).abs(), (exact - expected).abs()
    # A sum next to a half may be rounded to the other side, which few are.
    assert error.median() < 1e-5
    assert error.mean() < 0.1 * unrounded_error.mean()


def test_gradients_of_rounded_networks_are_off_by_their_bits() -> None:
    inputs, layers = made(rows=50)
    tensors = [inputs, *(part for layer in layers for part in layer)]
    factor = torch.linspace(-1, 1, WIDTHS[-1])
    found, exact = (
        torch.autograd.grad((outputs * factor).sum(), tensors)
        for outputs in (rounded_networks(inputs, layers, torch.bfloat16), networks(inputs, layers))
    )
    for gradient, truth in zip(found, exact, strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - truth).norm() < 2**-6 * truth.norm()
    assert torch.equal(found[-1], exact[-1])  # of the last bias, which is never rounded
    assert not torch.equal(found[0], exact[0])


def test_rounded_networks_take_inputs_shared_by_all_members() -> None:
    inputs, layers = made()
    shared = inputs.detach()[:1]
    one, each = (rounded_networks(x, layers, torch.bfloat16) for x in (shared, shared.repeat(N, 1, 1)))
    torch.testing.assert_close(one, each)
