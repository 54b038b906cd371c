import warnings
from typing import Any

import pytest
import torch

from offline_envs.dynamics import FitSettings, fit
from offline_envs.dynamics.ensemble.precision import PRECISIONS
from offline_envs.kernels.rounding import HIDDEN_DTYPES, warn_of_emulation
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
