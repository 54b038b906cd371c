import torch
from torch import Tensor

from offline_envs.kernels import is_traced


class Branching(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if is_traced() else x


def test_a_call_is_not_traced() -> None:
    assert not is_traced()
    assert Branching()(torch.zeros(1)).item() == 0


def test_compiling_and_exporting_are() -> None:
    x = torch.zeros(1)
    assert torch.compile(Branching(), backend="eager", fullgraph=True)(x).item() == 1
    assert torch.export.export(Branching(), (x,)).module()(x).item() == 1
    assert not is_traced()
