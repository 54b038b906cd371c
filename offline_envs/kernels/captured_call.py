"""`CapturedCall`: a function of tensors on a CUDA device, replayed as one graph."""

import warnings
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

WARM_UP_CALLS = 3
"""Calls before a capture, in which libraries allocate their buffers; PyTorch's notes recommend three."""

Result = TypeVar("Result")


class CapturedCall(Generic[Result]):
    """A function of many kernels, launched as one CUDA graph, so that the GPU does not wait for launches.

    The first few calls run eagerly as warm-up. If capture fails, a warning gives the reason and all later
    calls run eagerly.

    Each replay draws the random numbers that a call would have drawn, so a seed gives the same ones with and
    without a graph; products may round differently where the libraries choose other kernels.

    Within the capture of another function it is called as it is, and becomes a part of that graph.

    The function may write to tensors that it holds, which keeps state between calls. Anything else it
    reads on the host is read once, at the capture: settings, and the addresses of its tensors. It may not
    wait for the device, and it computes no gradients.

    Args:
        function: From tensors to tensors, in any nesting.
        name: Description for the warning.
        generators: Sources of its random numbers.
    """

    def __init__(
        self,
        function: Callable[..., Result],
        *,
        name: str,
        generators: Sequence[torch.Generator] = (),
    ) -> None:
        self._function, self._name, self._generators = function, name, tuple(generators)
        self._kinds: list[tuple[torch.Size, torch.dtype]] = []
        self._n_taken = 0
        self._places: tuple[Tensor, ...] = ()
        self._replay: Callable[[], Result] | None = None
        self._failed = False

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> Result:
        """Call the function; its result is overwritten by the next call.

        Args:
            *inputs: Its arguments, at least one, all on the device. Where they have another shape or dtype
                than before, the function is captured again.
        """
        if is_capturing():
            return self._function(*inputs)
        kinds = [(given.shape, given.dtype) for given in inputs]
        if kinds != self._kinds:
            self._kinds, self._n_taken, self._replay = kinds, 0, None
        if self._replay is None and not self._failed and self._n_taken >= WARM_UP_CALLS:
            self._capture(inputs)
        self._n_taken += 1
        if self._replay is None:
            if self._failed:
                return self._function(*inputs)
            return aside(lambda: self._function(*inputs), inputs[0].device)
        for place, given in zip(self._places, inputs, strict=True):
            place.copy_(given)
        return self._replay()

    def _capture(self, inputs: tuple[Tensor, ...]) -> None:
        self._places = places = tuple(given.clone() for given in inputs)
        try:
            self._replay = cuda_graph(lambda: self._function(*places), self._generators, places[0].device)
        except RuntimeError as error:
            self._failed = True
            warnings.warn(
                f"Could not capture {self._name} as a CUDA graph; running eagerly, which is slower: {error}",
                stacklevel=4,
            )


def is_capturing() -> bool:
    """Whether calls on the current stream are recorded into a graph."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


def aside(call: Callable[[], Result], device: torch.device) -> Result:
    """Make a call on a separate stream, as PyTorch requires of calls before a capture."""
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = call()
        torch.cuda.current_stream().wait_stream(stream)
    return result


def cuda_graph(
    call: Callable[[], Result], generators: Sequence[torch.Generator], device: torch.device
) -> Callable[[], Result]:
    """Capture a call without making it.

    A failed capture may leave its generators, including PyTorch's default one, unable to draw. So the capture
    is first tried with copies of their states.

    Args:
        call: The call.
        generators: Sources of its random numbers besides PyTorch's default generator.
        device: The CUDA device that it runs on.

    Returns:
        A function that makes the call, and returns the same tensors each time.

    Raises:
        RuntimeError: The call cannot be captured. Nothing changed, and no number was drawn.
    """
    at_risk = (*generators, *torch.cuda.default_generators)
    states = [generator.graphsafe_get_state() for generator in at_risk]
    try:
        for generator in at_risk:
            generator.graphsafe_set_state(generator.clone_state())
        _recorded(call, generators, device)
    finally:
        for generator, state in zip(at_risk, states, strict=True):
            generator.graphsafe_set_state(state)
    graph, result = _recorded(call, generators, device)

    def replay() -> Result:
        graph.replay()
        return result

    return replay


_REGISTERS = torch.__version__ < "2.14"  # compared as versions; later ones find the generators themselves

_BROKEN: list[torch.cuda.CUDAGraph] = []
"""Graphs whose capture failed: PyTorch's allocator still asks them for the memory they own."""


def _recorded(
    call: Callable[[], Result], generators: Sequence[torch.Generator], device: torch.device
) -> tuple[torch.cuda.CUDAGraph, Result]:
    with torch.cuda.device(device):
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        for generator in generators if _REGISTERS else ():
            graph.register_generator_state(generator)
        try:
            # The outer stream is the current one, which a failed capture does not restore.
            with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph, stream=stream):
                result = call()
        except RuntimeError:
            _BROKEN.append(graph)
            raise
    return graph, result
