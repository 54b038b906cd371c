"""`Group`: coroutines whose work on the device is done at the same time, each as it would be alone."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from offline_envs.kernels import CapturedCall, side_by_side
from offline_envs.sb3.together.streams import RandomStreams, streams_kept

Function = Callable[..., object]


class Call(NamedTuple):
    """A call on the device."""

    function: Function
    """Of tensors; the same object each time, as it is captured. It writes its results to tensors that it
    holds, and does not wait for the device."""
    inputs: tuple[Tensor, ...]


class Work(NamedTuple):
    """What a coroutine yields: calls to be made before it continues."""

    kind: str
    """Works of one kind are done at the same time if they have equally many calls."""
    calls: Sequence[Call]
    generators: tuple[torch.Generator, ...] = ()
    """What the functions draw from, besides the global generators."""


Coroutine = Generator[Work, None, None]
"""A run as a coroutine: what is left of it between works is done on the host."""


@dataclass(eq=False)
class Member:
    """A coroutine of a `Group`.

    Attributes:
        coroutine: The coroutine, not yet started.
        streams: The global random numbers as it alone draws them.
        work: What it waits for; None once it has ended.
    """

    coroutine: Coroutine
    streams: RandomStreams
    work: Work | None = None

    def advance(self) -> None:
        """Go on to the next work, or to the end."""
        with self.streams.active():
            self.work = next(self.coroutine, None)


class Group:
    """Coroutines that advance together on one device.

    On a CUDA device the calls that several of them wait for are captured as one graph with a branch for each.
    On a CPU they are made in turn.

    It is a context, at whose end what has not ended is closed, and the global random numbers are as before.

    Args:
        device: The device.
        members: The coroutines, not yet started.
    """

    def __init__(self, device: torch.device, members: Sequence[Member]) -> None:
        self._device, self._members = device, members
        self._joint: dict[tuple[Function, ...], Callable[..., object]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(streams_kept())
        for member in self._members:
            self._stack.callback(member.coroutine.close)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Advance each to its first work."""
        self._advance(self._members)

    def run(self) -> None:
        """Advance all to their ends; those that ended leave the others alone.

        Raises:
            BaseException: What a coroutine or a call raises.
        """
        waiting = [member for member in self._members if member.work is not None]
        while waiting:
            turn = [each for each in self._members if each in waiting and _key(each) == _key(waiting[0])]
            self._work(turn)
            self._advance(turn)
            longest = [member for member in waiting if member not in turn]
            waiting = [member for member in (*longest, *turn) if member.work is not None]

    @property
    def _captures(self) -> bool:
        return self._device.type == "cuda"

    def _advance(self, members: Sequence[Member]) -> None:
        for member in members:
            member.advance()
        if any(member.work is None for member in members):
            self._joint.clear()  # graphs that hold the memory of members that ended

    def _work(self, turn: Sequence[Member]) -> None:
        works = [member.work for member in turn if member.work is not None]
        for calls in zip(*(work.calls for work in works), strict=True):
            functions = tuple(call.function for call in calls)
            if functions not in self._joint:
                self._joint[functions] = self._joined(turn, calls, works)
            self._joint[functions](*(tensor for call in calls for tensor in call.inputs))

    def _joined(
        self, turn: Sequence[Member], calls: Sequence[Call], works: Sequence[Work]
    ) -> Callable[..., object]:
        """A function of all inputs that makes the calls of all members."""
        functions, sizes = [call.function for call in calls], [len(call.inputs) for call in calls]
        streams = [member.streams for member in turn]

        def call_all(*inputs: Tensor) -> None:
            rest = iter(inputs)
            own = [tuple(next(rest) for _ in range(size)) for size in sizes]
            each = zip(functions, own, streams, strict=True)
            side_by_side([_call_of(*parts) for parts in each], self._device)

        if not self._captures:
            return torch.no_grad()(call_all)
        generators = [each for member in turn for each in member.streams.generators]
        generators += [each for work in works for each in work.generators]
        return CapturedCall(call_all, name=f"{works[0].kind} of several runs", generators=generators)


def _call_of(function: Function, inputs: tuple[Tensor, ...], streams: RandomStreams) -> Callable[[], object]:
    def call() -> object:
        with streams.on_device():
            return function(*inputs)

    return call


def _key(member: Member) -> tuple[str, int] | None:
    return None if member.work is None else (member.work.kind, len(member.work.calls))
