import pytest
import torch
from torch.nn import functional

from offline_envs.consistency import Discriminators
from offline_envs.consistency.network import differentiable, network, new_layers
from offline_envs.kernels import affine


def layers_of(n: int, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for n_inputs, n_outputs in ((5, 8), (8, 8), (8, 1)):
        weight = torch.randn(n, n_outputs, n_inputs, generator=generator)
        layers.append((weight, torch.randn(n, 1, n_outputs, generator=generator)))
    return layers


@pytest.mark.parametrize("product", [affine, differentiable])
def test_all_networks_together_give_what_each_gives_alone(product: object) -> None:
    layers, inputs = layers_of(3), torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    found = network(inputs, layers, product)  # type: ignore[arg-type]
    for k in range(3):
        hidden = inputs
        for weight, bias in layers[:-1]:
            hidden = functional.relu(functional.linear(hidden, weight[k], bias[k, 0]))
        alone = functional.linear(hidden, layers[-1][0][k], layers[-1][1][k, 0])[:, 0]
        torch.testing.assert_close(found[k], alone, rtol=1e-5, atol=1e-5)


def test_inputs_are_standardised_and_the_successor_is_what_was_asked_for() -> None:
    mean, std = torch.tensor([1.0, 0, 2]), torch.tensor([2.0, 1, 4])
    obs, action, next_obs = torch.tensor([[3.0]]), torch.tensor([[0.5]]), torch.tensor([[10.0]])
    for successor, last in (("next_obs", (10 - 2) / 4), ("delta", (7 - 2) / 4)):
        found = Discriminators([], mean, std, successor).inputs(obs, action, next_obs)
        assert found.tolist() == [[1.0, 0.5, last]]


def test_initial_weights_keep_the_size_of_what_passes_through() -> None:
    layers = new_layers((400, 300, 1), torch.Generator().manual_seed(0))
    assert [weight.shape for weight, _ in layers] == [(1, 300, 400), (1, 1, 300)]
    assert [bias.shape for _, bias in layers] == [(1, 1, 300), (1, 1, 1)]
    assert layers[0][0].var().item() == pytest.approx(2 / 400, rel=0.02)
    assert all(bool((bias == 0).all()) for _, bias in layers)
