import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from offline_envs.dynamics import FitSettings, fit
from offline_envs.dynamics.ensemble.precision import PRECISIONS
from offline_envs.kernels.rounding import HIDDEN_DTYPES, rounded_products, warn_of_emulation
from tests.dynamics.linear_data import TINY, linear_transitions

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def processor(monkeypatch: pytest.MonkeyPatch, **capabilities: Any) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)


def test_fit_and_environments_know_the_same_precisions() -> None:
    assert set(HIDDEN_DTYPES) == set(PRECISIONS)


def test_a_fit_in_bfloat16_warns_where_the_processor_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, architecture="x86_64", avx512_bf16=False, amx_bf16=False)
    settings = FitSettings(max_epochs=1, precision="bfloat16")
    with pytest.warns(UserWarning, match="up to ten times as long") as caught:
        fit(linear_transitions(), TINY, fit_settings=settings, progress=False)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("capabilities", "precision", "device"),
    [
        ({"architecture": "x86_64", "avx512_bf16": True, "amx_bf16": False}, "bfloat16", CPU),
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": True}, "bfloat16", CPU),
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, "float32", CPU),
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, "tf32", CPU),
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, "bfloat16", CUDA),
        ({"architecture": "aarch64"}, "bfloat16", CPU),
    ],
)
def test_no_other_fit_warns(
    capabilities: dict[str, Any], precision: str, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor(monkeypatch, **capabilities)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_emulation(precision, device)


def test_a_pytorch_without_capabilities_does_not_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_emulation("bfloat16", CPU)


def has_amx() -> bool:
    find: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    return bool(find().get("amx_bf16"))


def products(precision: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Factors of a batch of products, and the products inside the context."""
    inputs, weight = torch.randn(
        2, 3, 128, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float32
    )
    with rounded_products(precision):
        return inputs, weight, torch.bmm(inputs, weight)


@pytest.mark.skipif(not has_amx(), reason="needs a processor with AMX")
def test_products_in_bfloat16_round_the_factors_and_not_the_sums() -> None:
    inputs, weight, found = products("bfloat16")
    rounded = torch.bmm(inputs.bfloat16().double(), weight.bfloat16().double())
    torch.testing.assert_close(found.double(), rounded, rtol=1e-5, atol=1e-4)
    assert not torch.allclose(found.double(), torch.bmm(inputs.double(), weight.double()), atol=1e-3)


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_a_cpu_rounds_nothing_in_other_precisions(precision: str) -> None:
    inputs, weight, found = products(precision)
    assert torch.equal(found, torch.bmm(inputs, weight))


@pytest.mark.parametrize("precision", HIDDEN_DTYPES)
def test_the_switches_are_restored_also_after_an_error(precision: str) -> None:
    inputs, weight, _ = products("float32")
    before = torch.bmm(inputs, weight)
    with pytest.raises(ZeroDivisionError), rounded_products(precision):
        raise ZeroDivisionError
    assert torch.equal(torch.bmm(inputs, weight), before)
    assert torch.get_float32_matmul_precision() == "highest"
