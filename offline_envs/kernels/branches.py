"""`side_by_side`: independent calls that a CUDA device makes at the same time."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import torch

Result = TypeVar("Result")


def side_by_side(calls: Sequence[Callable[[], Result]], device: torch.device) -> list[Result]:
    """Make calls that do not depend on each other, each on a stream of its own; on a CPU in turn.

    Captured, they are branches of one graph. So the small kernels of several networks share a GPU that one
    network leaves mostly idle, and each call computes what it would alone.

    Args:
        calls: The calls. None may write to a tensor that another one reads or writes.
        device: Where they are computed.

    Returns:
        Their results, ready for the current stream.
    """
    if device.type != "cuda":
        return [call() for call in calls]
    with torch.cuda.device(device):
        current, results = torch.cuda.current_stream(), []
        streams = [_stream(torch.cuda.current_device(), number) for number in range(len(calls))]
        for stream, call in zip(streams, calls, strict=True):
            stream.wait_stream(current)  # so that memory freed since the last time is free
            with torch.cuda.stream(stream):
                results.append(call())
        for stream in streams:
            current.wait_stream(stream)
    return results


@cache
def _stream(device: int, number: int) -> torch.cuda.Stream:
    """The same streams each time: libraries keep working memory for each."""
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return stream
