"""Predictions with gradients are those without, and their derivatives those of finite differences."""

from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.dynamics import (
    DynamicsModel,
    EnsembleDynamics,
    EnsembleSettings,
    FunctionModel,
    MaskedModel,
    with_gradients,
)
from offline_envs.errors import SettingsError
from tests.dynamics.own_model import LinearModel


def ensemble(**changes: Any) -> EnsembleDynamics:
    made = EnsembleDynamics(2, 1, settings=EnsembleSettings(3, 2, (16, 16), **changes), seed=1)
    made.normalizer.fit(torch.randn(100, 3, generator=torch.Generator().manual_seed(0)) + 1)
    return made.eval().requires_grad_(False)


def pushed(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    after = torch.stack([obs + action.sin(), obs * action])
    return after, (after**2).sum(dim=-1)


MODELS: dict[str, DynamicsModel] = {
    "ensemble": ensemble(),
    "norms": ensemble(layer_norm=True, activation="leaky_relu", separate_heads=False),
    "deterministic": ensemble(probabilistic=False),
    "function": FunctionModel(pushed, 2, 1),
    "masked": MaskedModel(ensemble(), [1]),
}


@pytest.mark.parametrize("members", [None, torch.tensor([1, 0])])
@pytest.mark.parametrize("name", MODELS)
def test_predictions_with_gradients_are_those_without(name: str, members: Tensor | None) -> None:
    model, generator = MODELS[name], torch.Generator().manual_seed(0)
    obs, action = torch.randn(5, 2, generator=generator), torch.randn(5, 1, generator=generator)
    found = with_gradients(model, obs.requires_grad_(), action, members)
    assert found.mean.requires_grad
    assert not model.predict(obs, action).mean.requires_grad
    for ours, theirs in zip(found, model.predict(obs, action, members), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"layer_norm": True}])
def test_first_and_second_derivatives_are_those_of_finite_differences(settings: dict[str, Any]) -> None:
    model, generator = ensemble(**settings).double(), torch.Generator().manual_seed(0)
    obs = torch.randn(2, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    action = torch.randn(2, 1, generator=generator, dtype=torch.float64, requires_grad=True)

    def predicted(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = with_gradients(model, obs, action)
        return mean, std

    assert torch.autograd.gradcheck(predicted, (obs, action))
    assert torch.autograd.gradgradcheck(predicted, (obs, action))


def in_arrays(obs: Any, action: Any) -> tuple[Any, Any]:
    return obs.numpy() + 1.0, obs[:, 0].numpy()


def test_a_function_without_gradients_is_refused() -> None:
    model = FunctionModel(in_arrays, 2, 1)
    obs = torch.zeros(3, 2)
    assert with_gradients(model, obs, torch.zeros(3, 1)).mean.shape == (1, 3, 3)  # none are asked for
    with pytest.raises(SettingsError, match="gives no gradients: it takes arrays, or leaves PyTorch"):
        with_gradients(model, obs.requires_grad_(), torch.zeros(3, 1))


def test_a_model_without_gradients_is_refused() -> None:
    with pytest.raises(SettingsError, match="LinearModel has no predict_with_gradients"):
        with_gradients(LinearModel(torch.zeros(3, 3), 2), torch.zeros(3, 2), torch.zeros(3, 1))
