import math

import torch

from offline_envs.kernels.layer_norm import EPSILON, layer_norm, norm_gradient, normed_rows


def test_by_hand() -> None:
    """1 and 3 lie one deviation from their mean; gain 2 and 10, shift 5 and 0."""
    rows = torch.tensor([[[1.0, 3.0]]], dtype=torch.float64)
    unit = 1 / math.sqrt(1 + EPSILON)
    gain, shift = (torch.tensor([[part]], dtype=torch.float64) for part in ([2.0, 10.0], [5.0, 0.0]))
    expected = torch.tensor([[[5 - 2 * unit, 10 * unit]]], dtype=torch.float64)
    torch.testing.assert_close(layer_norm(rows, gain, shift), expected)
    kept = normed_rows(rows[0], gain[0, 0], shift[0, 0])
    torch.testing.assert_close(kept.rows, expected[0])
    assert (kept.mean.item(), kept.rstd.item()) == (2.0, unit)


def test_gradient_is_that_of_autograd() -> None:
    torch.manual_seed(0)
    rows, gain, shift = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((6, 4), (4,), (4,))
    )
    weights = torch.randn(6, 4, dtype=torch.float64)
    (weights * layer_norm(rows, gain, shift)).sum().backward()
    with torch.no_grad():
        kept = normed_rows(rows, gain, shift)
        found = norm_gradient(weights, rows, kept.mean, kept.rstd, gain)
    for part, parameter in zip(found, (rows, gain, shift), strict=True):
        torch.testing.assert_close(part, parameter.grad)
