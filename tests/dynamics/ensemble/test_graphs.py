"""Graphs of an ensemble's predictions: the same numbers, by operators that everything knows."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.kernels import products
from tests.torch_versions import needs_new_compiler


class Predicted(nn.Module):
    def __init__(self, ensemble: EnsembleDynamics) -> None:
        super().__init__()
        self.ensemble = ensemble

    def forward(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = self.ensemble.predict(obs, action, self.ensemble.elites)
        return mean, std


@pytest.fixture
def predicted(monkeypatch: pytest.MonkeyPatch) -> Predicted:
    """Predictions on a processor for which oneDNN is called."""
    monkeypatch.setattr(products, "_onednn_is_faster", lambda device, dtype: device == "cpu")
    settings = EnsembleSettings(n_members=3, n_elites=2, hidden=(8, 8))
    ensemble = EnsembleDynamics(3, 2, settings=settings, seed=1)
    ensemble.elites.copy_(torch.tensor([2, 0]))
    return Predicted(ensemble.eval().requires_grad_(False)).eval()


def batch(n: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    return torch.randn(n, 3, generator=generator), torch.randn(n, 2, generator=generator)


def refuse(*args: Any) -> Tensor:
    raise AssertionError("the private operator was called")


def assert_same(graph: Any, expected: dict[int, tuple[Tensor, Tensor]]) -> None:
    for n, predictions in expected.items():
        for found, right in zip(graph(*batch(n)), predictions, strict=True):
            torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-6)


def eager(predicted: Predicted) -> dict[int, tuple[Tensor, Tensor]]:
    """Predictions for one row, for a few, and for as many as are computed one member after the other."""
    return {n: predicted(*batch(n)) for n in (1, 5, 300)}


@pytest.mark.skipif(not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this PyTorch has no oneDNN")
def test_a_call_takes_onednn(predicted: Predicted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_onednn", refuse)
    with pytest.raises(AssertionError, match="private"):
        predicted(*batch(300))


@needs_new_compiler
def test_compiled_it_is_equal_and_calls_no_private_operator(
    predicted: Predicted, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = eager(predicted)
    monkeypatch.setattr(products, "_onednn", refuse)
    assert_same(torch.compile(predicted, backend="aot_eager", fullgraph=True, dynamic=True), expected)


def test_exported_it_is_equal_for_any_number_of_rows(
    predicted: Predicted, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = eager(predicted)
    monkeypatch.setattr(products, "_onednn", refuse)
    rows = {0: torch.export.Dim("batch")}
    program = torch.export.export(predicted, batch(5), dynamic_shapes={"obs": rows, "action": rows})
    assert not [node for node in program.graph.nodes if "mkldnn" in str(node.target)]
    assert_same(program.module(), expected)
