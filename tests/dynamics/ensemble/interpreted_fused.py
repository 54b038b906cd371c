"""The fused kernel in Triton's interpreter, which `test_fused.py` starts; it needs Triton and no GPU.

The interpreter has to be chosen before anything imports Triton, so these tests have a process of their own:
`TRITON_INTERPRET=1 pytest tests/dynamics/ensemble/interpreted_fused.py`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, Prediction
from offline_envs.dynamics.ensemble.fused import networks_of, predict_fused
from offline_envs.kernels.fused_gaussian import SMALL_TILE, Tile, fused_gaussian

interpreter: Any = pytest.importorskip("triton.runtime.interpreter")
triton_language: Any = pytest.importorskip("triton.language")

PRECISIONS = ("float32", "tf32", "bfloat16")
BFLOAT16 = triton_language.bfloat16


@pytest.fixture(autouse=True)
def bfloat16_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter keeps bfloat16 as integers, which it cuts off instead of rounding and multiplies."""
    builder, handle = interpreter.InterpreterBuilder, interpreter.TensorHandle
    multiply, cast = builder.create_dot, builder.cast_impl

    def as_float(value: Any) -> Any:
        if value.dtype.scalar != BFLOAT16:
            return value
        return handle((value.data.astype(np.uint32) << 16).view(np.float32), triton_language.float32)

    def create_dot(self: Any, a: Any, b: Any, *others: Any) -> Any:
        return multiply(self, as_float(a), as_float(b), *others)

    def cast_impl(self: Any, source: Any, target: Any) -> Any:
        if target.scalar != BFLOAT16:
            return cast(self, as_float(source), target)
        rounded = torch.from_numpy(np.ascontiguousarray(source.data)).bfloat16()
        return handle(rounded.view(torch.uint16).numpy(), BFLOAT16)

    monkeypatch.setattr(builder, "create_dot", create_dot)
    for name in ("cast_impl", "create_fp_trunc", "create_fp_ext"):
        monkeypatch.setattr(builder, name, cast_impl)


def ensemble(obs_dim: int = 5, action_dim: int = 3, **settings: Any) -> EnsembleDynamics:
    """An ensemble without zeros."""
    settings = {"n_members": 3, "n_elites": 2, "hidden": (40, 24), **settings}
    made = EnsembleDynamics(obs_dim, action_dim, settings=EnsembleSettings(**settings), seed=1)
    generator = torch.Generator().manual_seed(2)
    for name, value in (*made.named_parameters(), *made.named_buffers()):
        if name.endswith("weight"):
            value.data *= 2
        elif name != "elites":
            value.data += torch.rand(value.shape, generator=generator) - 0.5
    return made.requires_grad_(False)


def rows(model: EnsembleDynamics, n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(n, model.obs_dim, generator=generator),
        torch.randn(n, model.action_dim, generator=generator),
    )


def significant(values: Tensor, bits: int) -> Tensor:
    """Round to a number of significant bits, by arithmetic."""
    fraction, exponent = torch.frexp(values)
    return torch.ldexp((fraction * 2**bits).round() / 2**bits, exponent)


ROUNDINGS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "float32": (lambda values: values, lambda values: values),
    "tf32": (lambda values: significant(values, 11), lambda values: significant(values, 11)),
    "bfloat16": (lambda values: significant(values, 8), lambda values: significant(values, 11)),
}
"""What a precision does to the factors of hidden layers and of the last, by the formats' significant bits."""


def expected(model: EnsembleDynamics, obs: Tensor, action: Tensor, precision: str) -> Prediction:
    """The same in float64, with factors rounded."""
    hidden, last = ROUNDINGS[precision]
    assert model.bounds is not None
    values = model.normalizer(torch.cat([obs, action], dim=1)).double()[None]
    for layer in model.trunk:
        product = hidden(values) @ hidden(layer.get_parameter("weight").double())
        values = torch.nn.functional.silu(product + layer.get_parameter("bias"))
    weight, bias = model._head()
    mean, logvar = torch.split(last(hidden(values)) @ last(weight.double()) + bias, model.n_outputs, dim=-1)
    return Prediction(mean, (0.5 * model.bounds.double()(logvar)).exp())


def error(found: Prediction, right: Prediction) -> float:
    """Root mean square of the difference, means and logarithms of deviations alike."""
    differences = [found.mean - right.mean, found.std.log() - right.std.log()]
    return float(torch.cat(differences).square().mean().sqrt())


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("separate_heads", [True, False])
def test_in_float32_it_is_the_plain_prediction(separate_heads: bool, seed: int) -> None:
    model = ensemble(separate_heads=separate_heads)
    obs, action = rows(model, 70, seed)
    found, plain = predict_fused(model, obs, action, precision="float32"), model.predict(obs, action)
    torch.testing.assert_close(found.mean, plain.mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.std, plain.std, rtol=1e-5, atol=0)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_factors_are_rounded_to_the_bits_of_the_precision(precision: str) -> None:
    """Rounding moves a prediction a hundred times as far as float32's own, so other bits would be seen."""
    model = ensemble()
    obs, action = rows(model, 70)
    found = predict_fused(model, obs, action, precision=precision)
    exact = expected(model, obs, action, "float32")
    from_rounded = error(found, expected(model, obs, action, precision))
    if precision == "float32":
        assert from_rounded < 1e-6
    else:
        bits = 2.0 ** -(11 if precision == "tf32" else 8)
        assert from_rounded < 0.2 * error(found, exact)
        assert 0.1 * bits < error(found, exact) < 3 * bits


def test_in_bfloat16_it_is_as_exact_as_the_plain_prediction() -> None:
    model = ensemble()
    obs, action = rows(model, 200)
    exact = expected(model, obs, action, "float32")
    plain = model.predict_rounded(obs, action, dtype=torch.bfloat16)
    fused = predict_fused(model, obs, action, precision="bfloat16")
    assert 0 < error(fused, exact) < 1.1 * error(plain, exact)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_default_ensemble_in_the_dimensions_of_halfcheetah(precision: str) -> None:
    model = EnsembleDynamics(17, 6).requires_grad_(False)
    obs, action = rows(model, 5)
    found, exact = predict_fused(model, obs, action, precision=precision), model.predict(obs, action)
    bound = {"float32": 1e-6, "tf32": 2e-3, "bfloat16": 1e-2}[precision]
    assert (found.mean - exact.mean).abs().max() < bound * exact.mean.abs().max()
    torch.testing.assert_close(found.std, exact.std, rtol=bound, atol=0)


@pytest.mark.parametrize("tile", [SMALL_TILE, Tile(16, 16, 4), Tile(32, 128, 4)])
@pytest.mark.parametrize("sizes", [(1, 1, (1,)), (20, 30, (17, 100, 16)), (40, 2, (33,))])
def test_any_size_in_any_tiles(sizes: tuple[int, int, tuple[int, ...]], tile: Tile) -> None:
    """Parts of layers end where powers of two do not, and the last tile has rows that do not exist."""
    obs_dim, action_dim, hidden = sizes
    model = ensemble(obs_dim, action_dim, hidden=hidden)
    for n in (1, 37):
        obs, action = rows(model, n)
        found = fused_gaussian(networks_of(model), obs, action, precision="float32", tile=tile)
        plain = model.predict(obs, action)
        torch.testing.assert_close(found[0], plain.mean, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found[1], plain.std, rtol=1e-5, atol=0)


def test_only_the_members_that_are_asked_in_their_order() -> None:
    model = ensemble()
    obs, action = rows(model, 20)
    everyone = predict_fused(model, obs, action, precision="float32")
    some = predict_fused(model, obs, action, torch.tensor([2, 0]), precision="float32")
    assert torch.equal(some.mean, everyone.mean[[2, 0]])
    assert torch.equal(some.std, everyone.std[[2, 0]])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FFFFFFF, -1])
def test_what_is_not_a_number_stays_in_its_row(bits: int, precision: str) -> None:
    """Devices write NaN as 0x7FFFFFFF, which rounding by integers would make zero, and hide an explosion."""
    model = ensemble()
    obs, action = rows(model, 20)
    plain = predict_fused(model, obs, action, precision=precision)
    obs[3, 1] = torch.tensor(bits, dtype=torch.int32).view(torch.float32)
    found = predict_fused(model, obs, action, precision=precision)
    others = torch.arange(20) != 3
    assert found.mean[:, 3].isnan().all()
    assert found.std[:, 3].isnan().all()
    assert torch.equal(found.mean[:, others], plain.mean[:, others])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_follows_the_ensemble_when_its_weights_change(precision: str) -> None:
    """RAMBO's adversary changes them between two steps; a copy of them would be out of date."""
    model = ensemble()
    obs, action = rows(model, 20)
    before = predict_fused(model, obs, action, precision=precision)
    for name, value in model.named_parameters():
        value.mul_(2)
        after = predict_fused(model, obs, action, precision=precision)
        assert not (torch.equal(after.mean, before.mean) and torch.equal(after.std, before.std)), name
        before = after


def test_columns_of_a_larger_tensor_are_read_as_such() -> None:
    model = ensemble()
    obs, action = rows(model, 20)
    wide = torch.cat([obs, action, obs], dim=1)
    found = predict_fused(model, wide[:, :5], wide[:, 5:8], precision="float32")
    assert torch.equal(found.mean, predict_fused(model, obs, action, precision="float32").mean)
