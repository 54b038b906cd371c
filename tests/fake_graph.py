"""CUDA graphs without CUDA: PyTorch's documented behaviour, on any device."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from offline_envs.envs.checker.recorded_calls import leaves
from offline_envs.kernels import captured_call


def use_fake_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every `CapturedCall` warm up in place and replay fake graphs."""
    monkeypatch.setattr(captured_call, "aside", lambda call, device: call())
    monkeypatch.setattr(captured_call, "cuda_graph", fake_graph)


def fake_graph(
    call: Callable[[], Any], generators: Sequence[torch.Generator], device: torch.device
) -> Callable[[], Any]:
    """A capture runs nothing; a replay runs the call on the tensors' current values into the same results."""
    del generators, device  # Unused.
    kept: list[Any] = []

    def replay() -> Any:
        result = call()
        if not kept:
            kept.append(result)
        for place, value in zip(leaves(kept[0]), leaves(result), strict=True):
            place.copy_(value)
        return kept[0]

    return replay
