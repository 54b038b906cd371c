import pytest
import torch
from torch import nn

from tests.kernels.networks import networks, stack


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("normed", [False, True])
def test_values_and_gradients_are_those_of_autograd(
    n: int, activation: type[nn.Module], *, normed: bool
) -> None:
    members = networks(n, activation, normed=normed)
    mlp = stack(members, activation)
    inputs = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(n, 4, 2, dtype=torch.float64)
    outputs = torch.stack([net(inputs) for net in members])
    (weights * outputs).sum().backward()
    with torch.no_grad():
        values = mlp.forward(inputs[None])
        mlp.backward(values, weights)
        input_grad = mlp.input_gradient(values, weights, first_column=2)
    torch.testing.assert_close(values[-1], outputs)
    for parameter, grad in zip(mlp.flat.parameters, mlp.flat.parts_of(mlp.flat.gradient), strict=True):
        torch.testing.assert_close(grad, parameter.grad)
    assert inputs.grad is not None
    torch.testing.assert_close(input_grad.sum(0), inputs.grad[:, 2:])


@pytest.mark.parametrize("normed", [False, True])
def test_outputs_of_rounded_layers_are_those_of_rounded_modules(*, normed: bool) -> None:
    """Hidden weights, biases and activations have 8 significant bits; the last layer has all."""
    members = networks(2, nn.ReLU, normed=normed)
    mlp = stack(members, nn.ReLU)
    inputs = torch.randn(4, 5, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(mlp.outputs(inputs[None], torch.float64), mlp.forward(inputs[None])[-1])
        found = mlp.outputs(inputs[None], torch.bfloat16)
        for member, own in zip(members, found, strict=True):
            *trunk, last = member
            hidden = nn.Sequential(*trunk).to(torch.bfloat16)(inputs.bfloat16())
            torch.testing.assert_close(own, last(hidden.double()), rtol=1e-2, atol=1e-2)
    assert found.dtype == torch.float64
    assert not torch.equal(found, mlp.forward(inputs[None])[-1])


def test_the_networks_stay_in_use() -> None:
    """A change of the vector changes the modules, and the other way round."""
    members = networks(2, nn.ReLU)
    mlp = stack(members, nn.ReLU)
    mlp.flat.values.zero_()
    assert all(float(p.detach().abs().sum()) == 0 for net in members for p in net.parameters())
    members[1][4].bias.data = torch.tensor([3.0, 4.0], dtype=torch.float64)
    mlp.flat.gather()
    outputs = mlp.forward(torch.ones(1, 1, 5, dtype=torch.float64))[-1]
    assert outputs.tolist() == [[[0.0, 0.0]], [[3.0, 4.0]]]
    assert members[1][4].get_parameter("bias").data_ptr() == mlp.layers[2].bias[1].data_ptr()
