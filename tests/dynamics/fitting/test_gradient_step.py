from dataclasses import replace

import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, fit
from offline_envs.dynamics.fitting.fit_state import FitState, set_learning_rate
from offline_envs.dynamics.fitting.gradient_step import GradientStep
from offline_envs.dynamics.fitting.rows import split_rows
from offline_envs.kernels.rounding import HIDDEN_DTYPES
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions
from tests.torch_versions import TF32_SWITCH

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="a CUDA graph needs a CUDA device")


def made(precision: str = "float32") -> tuple[FitState, GradientStep]:
    data, fit_settings = linear_transitions(), replace(QUICK, precision=precision)
    ensemble = EnsembleDynamics(data.obs_dim, data.action_dim, settings=TINY)
    rows = split_rows(data, ensemble.normalizer, fit_settings=fit_settings, device=torch.device("cpu"))
    state = FitState(ensemble, fit_settings)
    return state, GradientStep(state, rows)


def test_first_step_of_adam_is_the_learning_rate_whatever_the_gradient() -> None:
    """Its moments are then the gradient and its square, so each weight moves by lr against its gradient."""
    state, step = made()
    set_learning_rate(state.optimizer, 0.01)
    before = {name: value.detach().clone() for name, value in state.ensemble.named_parameters()}
    index = torch.arange(64, dtype=torch.int32).repeat(3, 1)
    loss = step(index)
    assert loss.shape == ()
    for name, value in state.ensemble.named_parameters():
        assert value.grad is not None
        felt = value.grad.abs() > 1e-4
        moved = value.detach() - before[name]
        torch.testing.assert_close(moved[felt], -0.01 * value.grad.sign()[felt], rtol=1e-2, atol=1e-5)
        assert felt.any(), name
    losses = [step(index).item() for _ in range(30)]
    assert losses[-1] < losses[0] < loss.item()


def test_a_step_is_the_same_where_gradients_are_off() -> None:
    """Captured calls run without gradients."""
    index = torch.arange(30, dtype=torch.int32).repeat(3, 1)
    state, step = made()
    other, same = made()
    step(index)
    with torch.no_grad():
        same(index)
    for value, twin in zip(state.ensemble.parameters(), other.ensemble.parameters(), strict=True):
        assert torch.equal(value, twin)


def gradients(precision: str) -> dict[str, torch.Tensor]:
    state, step = made(precision)
    step(torch.arange(64, dtype=torch.int32).repeat(3, 1))
    found = {name: value.grad for name, value in state.ensemble.named_parameters()}
    return {name: value for name, value in found.items() if value is not None}


def test_a_step_in_bfloat16_keeps_weights_in_float32_and_is_off_by_its_bits() -> None:
    exact, rounded = gradients("float32"), gradients("bfloat16")
    assert rounded.keys() == exact.keys()
    for name, truth in exact.items():
        assert rounded[name].dtype == torch.float32
        off = (rounded[name] - truth).norm() / truth.norm()
        assert 0 < off < 2**-5, name


def test_a_step_in_tf32_is_float32_on_a_cpu_and_restores_the_switch() -> None:
    switches = torch.backends.cuda.matmul
    before = getattr(switches, TF32_SWITCH)
    exact, same = gradients("float32"), gradients("tf32")
    assert all(torch.equal(same[name], truth) for name, truth in exact.items())
    assert getattr(switches, TF32_SWITCH) == before


@needs_cuda
@pytest.mark.parametrize("precision", HIDDEN_DTYPES)
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_on_cuda_a_fit_of_replayed_steps_is_the_plain_one(
    spectral_norm: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EnsembleSettings(n_members=3, n_elites=2, hidden=(16, 16), spectral_norm=spectral_norm)
    fit_settings = FitSettings(
        max_epochs=4, batch_size=64, schedule="cosine", learning_rate=4e-3, precision=precision
    )
    data = linear_transitions(1000)
    fits = [fit(data, settings, fit_settings=fit_settings, device="cuda", progress=False)]
    monkeypatch.setattr("offline_envs.dynamics.fitting.gradient_step.CapturedCall", lambda take, name: take)
    fits.append(fit(data, settings, fit_settings=fit_settings, device="cuda", progress=False))
    captured, plain = (torch.tensor(done.report.holdout_history) for done in fits)
    # Other kernels may sum in another order, and coarser rounding then differs more.
    rtol = {"float32": 1e-3, "tf32": 1e-2, "bfloat16": 5e-2}[precision]
    torch.testing.assert_close(captured, plain, rtol=rtol, atol=1e-5)
