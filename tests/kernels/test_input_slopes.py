import pytest
import torch
from torch import nn

from offline_envs.kernels import InputSlopes
from tests.kernels.networks import networks, stack

N, ROWS, FIRST = 3, 8, 2


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(ROWS, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def recorded(members: list[nn.Sequential], inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs and their derivatives by the last inputs, as autograd has them."""
    each = inputs.expand(N, -1, -1).clone().requires_grad_(True)
    outputs = torch.stack([net(x) for net, x in zip(members, each, strict=True)])
    [slopes] = torch.autograd.grad(outputs.sum(), each, create_graph=True)
    return outputs, slopes[:, :, FIRST:]


def test_slopes_are_those_of_autograd(inputs: torch.Tensor) -> None:
    members = networks(N, nn.ReLU, n_outputs=1)
    mlp = stack(members, nn.ReLU)
    _, expected = recorded(members, inputs)
    with torch.no_grad():
        slopes = InputSlopes(mlp, mlp.forward(inputs[None]))
        torch.testing.assert_close(slopes.by_inputs(first_column=FIRST), expected.detach())


def test_the_gradient_of_a_loss_of_outputs_and_slopes_is_that_of_autograd(inputs: torch.Tensor) -> None:
    members = networks(N, nn.ReLU, n_outputs=1)
    mlp = stack(members, nn.ReLU)
    of_outputs = torch.randn(N, ROWS, 1, dtype=torch.float64)
    of_slopes = torch.randn(N, ROWS, 3, dtype=torch.float64)
    outputs, slopes = recorded(members, inputs)
    ((of_outputs * outputs).sum() + (of_slopes * slopes).sum()).backward()
    with torch.no_grad():
        InputSlopes(mlp, mlp.forward(inputs[None])).backward(of_outputs, of_slopes)
    for parameter, grad in zip(mlp.flat.parameters, mlp.flat.parts_of(mlp.flat.gradient), strict=True):
        torch.testing.assert_close(grad, parameter.grad)


def test_by_hand() -> None:
    """Y = 2 relu(3 x): where x > 0 the slope is 6, and its derivatives by the weights 2 and 3."""
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    for parameter, value in zip(net.parameters(), (3.0, 0.0, 2.0, 0.0), strict=True):
        parameter.data.fill_(value)
    mlp = stack([net], nn.ReLU)
    with torch.no_grad():
        slopes = InputSlopes(mlp, mlp.forward(torch.tensor([[[0.5], [-0.5]]])))
        assert slopes.by_inputs().flatten().tolist() == [6.0, 0.0]
        slopes.backward(torch.zeros(1, 2, 1), torch.ones(1, 2, 1))
    grads = [float(part) for part in mlp.flat.parts_of(mlp.flat.gradient)]
    assert dict(zip(("w1", "b1", "w2", "b2"), grads, strict=True)) == {"w1": 2.0, "b1": 0, "w2": 3.0, "b2": 0}
