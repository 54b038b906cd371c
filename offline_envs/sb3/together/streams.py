"""`RandomStreams`: the global random generators of one of several runs that take turns in a process."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch


class RandomStreams:
    """Python's, NumPy's and PyTorch's global random numbers, as if one run alone drew from them.

    They begin as the global ones are.

    Args:
        device: Device of the run.

    Attributes:
        generators: Generators of the device that a captured graph of the run draws from.
    """

    def __init__(self, device: torch.device) -> None:
        self._python, self._numpy = _host_state()
        self._torch = torch.get_rng_state()
        self._cuda = None if device.type == "cpu" else _copy_of(_default_generator(device))
        self.generators = () if self._cuda is None else (self._cuda,)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let everything inside draw from these; Python's and NumPy's stay until others are active."""
        _set_host_state(self._python, self._numpy)
        try:
            with self._on_cpu(), self._on_cuda():
                yield
        finally:
            self._python, self._numpy = _host_state()

    def on_device(self) -> AbstractContextManager[None]:
        """Let only what is drawn on the device come from these; it costs little and can be captured."""
        return self._on_cpu() if self._cuda is None else self._on_cuda()

    @contextmanager
    def _on_cpu(self) -> Iterator[None]:
        others = torch.get_rng_state()
        torch.set_rng_state(self._torch)
        try:
            yield
        finally:
            self._torch = torch.get_rng_state()
            torch.set_rng_state(others)

    @contextmanager
    def _on_cuda(self) -> Iterator[None]:
        if self._cuda is None:
            yield
            return
        default = _default_generator(self._cuda.device)
        others = default.graphsafe_get_state()
        default.graphsafe_set_state(self._cuda.graphsafe_get_state())  # shared, not copied
        try:
            yield
        finally:
            default.graphsafe_set_state(others)


@contextmanager
def streams_kept() -> Iterator[None]:
    """Restore Python's and NumPy's global random numbers at the end."""
    state = _host_state()
    try:
        yield
    finally:
        _set_host_state(*state)


def _host_state() -> tuple[Any, Any]:
    return random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002 the one that SB3 draws from


def _set_host_state(python: Any, numpy: Any) -> None:
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002


def _default_generator(device: torch.device) -> torch.Generator:
    torch.cuda.init()  # type: ignore[no-untyped-call]  # there are none before
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[index]


def _copy_of(generator: torch.Generator) -> torch.Generator:
    copy = torch.Generator(generator.device)
    copy.set_state(generator.get_state())
    return copy
