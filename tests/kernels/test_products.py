from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.kernels import products
from offline_envs.kernels.products import affine, input_gradient, linear, weight_gradient


def inputs(n: int, rows: int, n_inputs: int, n_outputs: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((n, rows, n_inputs), (n, n_outputs, n_inputs), (n, 1, n_outputs), (n, rows, n_outputs))
    x, weight, bias, grad = (torch.randn(shape, generator=generator) for shape in shapes)
    return x, weight, bias, grad


def test_by_hand() -> None:
    x, weight = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[3.0, 4.0], [5.0, 6.0]]])
    bias, grad = torch.tensor([[[0.5, -0.5]]]), torch.tensor([[[1.0, 10.0]]])
    assert affine(x, weight, bias).tolist() == [[[11.5, 16.5]]]
    assert affine(x, weight).tolist() == [[[11.0, 17.0]]]
    assert linear(x[0], weight[0], bias[0, 0]).tolist() == [[11.5, 16.5]]
    assert input_gradient(grad, weight).tolist() == [[[53.0, 64.0]]]
    out = torch.empty(1, 2, 2)
    weight_gradient(grad, x, out=out)
    assert out.tolist() == [[[1.0, 2.0], [10.0, 20.0]]]


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(5, 70, 64), (64, 17, 4), (3, 2, 70)])
def test_both_libraries_give_the_same(
    n: int, sizes: tuple[int, int, int], onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if onednn and not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("this PyTorch has no oneDNN")
    monkeypatch.setattr(products, "_onednn_is_faster", lambda device, dtype: onednn)
    x, weight, bias, grad = inputs(n, *sizes)
    close: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}
    exact = torch.einsum("nbi,noi->nbo", x.double(), weight.double()) + bias.double()
    torch.testing.assert_close(affine(x, weight, bias).double(), exact, **close)
    torch.testing.assert_close(affine(x, weight).double(), exact - bias.double(), **close)
    single = torch.stack([linear(*member) for member in zip(x, weight, bias[:, 0], strict=True)])
    torch.testing.assert_close(single.double(), exact, **close)
    exact = torch.einsum("nbo,noi->nbi", grad.double(), weight.double())
    torch.testing.assert_close(input_gradient(grad, weight).double(), exact, **close)
    out = torch.empty_like(weight)
    weight_gradient(grad, x, out=out)
    torch.testing.assert_close(out.double(), torch.einsum("nbo,nbi->noi", grad.double(), x.double()), **close)


def test_onednn_is_used_in_single_precision_on_the_cpu_only() -> None:
    assert not products._onednn_is_faster("cuda", torch.float32)
    assert not products._onednn_is_faster("cpu", torch.float64)


def test_onednn_is_used_on_amd_processors_with_avx512_only(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = products._onednn_is_faster.__wrapped__
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(products, "_is_of_amd", lambda: False)
    assert not ask("cpu", torch.float32)
    monkeypatch.setattr(products, "_is_of_amd", lambda: True)
    assert ask("cpu", torch.float32) == hasattr(torch.ops.mkldnn, "_linear_pointwise")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not ask("cpu", torch.float32)
