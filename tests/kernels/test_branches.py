from functools import partial

import pytest
import torch

from offline_envs.kernels import CapturedCall, side_by_side

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="streams need a CUDA device")


def test_on_a_cpu_calls_are_made_in_turn() -> None:
    made: list[int] = []

    def call(number: int) -> int:
        made.append(number)
        return 10 * number

    assert side_by_side([partial(call, number) for number in range(3)], torch.device("cpu")) == [0, 10, 20]
    assert made == [0, 1, 2]


@needs_cuda
@pytest.mark.parametrize("n", [3, 40])  # more than PyTorch has streams
def test_branches_of_a_graph_compute_what_the_calls_do_on_cuda(n: int) -> None:
    device = torch.device("cuda")
    weights = [torch.full((64, 64), 0.01 * (k + 1), device=device) for k in range(n)]
    states = [torch.ones(64, device=device) for _ in range(n)]

    def advance(scale: torch.Tensor) -> list[torch.Tensor]:
        def one(k: int) -> torch.Tensor:
            states[k].copy_(torch.tanh(weights[k] @ states[k]) * scale)
            return states[k] + 0

        return side_by_side([partial(one, k) for k in range(n)], device)

    captured = CapturedCall(advance, name="branches")
    expected = [torch.ones(64, device=device) for _ in range(n)]
    for step in range(1, 8):
        scale = torch.full((), float(step), device=device)
        found = captured(scale)
        for k in range(n):
            expected[k] = torch.tanh(weights[k] @ expected[k]) * step
            torch.testing.assert_close(found[k], expected[k])
