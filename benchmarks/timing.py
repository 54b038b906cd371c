"""Fair timing on a busy machine: candidates take turns, and each is judged by its best turn."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


def best_seconds(
    candidates: Mapping[str, Callable[[], object]], *, budget: float, min_rounds: int = 3
) -> dict[str, float]:
    """Return the seconds of each candidate's fastest call.

    Every round calls each candidate once, so that a disturbance hits all alike; a first one is not counted.

    Args:
        candidates: What to call, by name.
        budget: Seconds after which no further round starts.
        min_rounds: Rounds that are made even so.
    """
    for call in candidates.values():
        call()
    best = dict.fromkeys(candidates, float("inf"))
    start, rounds = time.perf_counter(), 0
    while rounds < min_rounds or time.perf_counter() - start < budget:
        for name, call in candidates.items():
            best[name] = min(best[name], seconds_of(call))
        rounds += 1
    return best


def median_ratio(
    reference: Callable[[], object], candidate: Callable[[], object], *, rounds: int, device: str = "cpu"
) -> float:
    """Return how many times the speed of `reference` a candidate has: the median of the rounds.

    The two take turns and each round is compared in itself, so that other load on the machine cancels out.

    Args:
        reference: What the candidate is compared with.
        candidate: What is measured.
        rounds: Turns of each; a first one is not counted.
        device: What is waited for after every call.
    """
    calls = [lambda: finished(reference, device), lambda: finished(candidate, device)]
    turns = [[seconds_of(call) for call in calls] for _ in range(rounds + 1)]
    return median(first / second for first, second in turns[1:])


def seconds_by_turn(
    candidates: Mapping[str, Callable[[], object]], rounds: int, device: str = "cpu"
) -> dict[str, list[float]]:
    """Return the seconds of every turn of each, after a first one that is not counted.

    Args:
        candidates: What to call, by name.
        rounds: Turns of each.
        device: What is waited for after every call.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, call in candidates.items():
            spent = seconds_of(partial(finished, call, device))
            if turn > 0:
                seconds[name].append(spent)
    return seconds


def seconds_of(call: Callable[[], object]) -> float:
    """Return the seconds that one call takes."""
    return timed(call)[1]


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """Return what a call returns, and its seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def finished(call: Callable[[], Result], device: str) -> Result:
    """Call and wait for the device."""
    result = call()
    synchronize(device)
    return result


def synchronize(device: str) -> None:
    """Wait until the device has done what it was told."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def device_name(device: str) -> str:
    """Name of a GPU by its maker; of another device the one given."""
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else device


class Stopwatch:
    """Adds up the seconds spent inside its `with` blocks.

    Args:
        device: What is waited for at both ends of a block.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.seconds = 0.0
        self._start = 0.0
        self._device = device

    def __enter__(self) -> None:
        synchronize(self._device)
        self._start = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        synchronize(self._device)
        self.seconds += time.perf_counter() - self._start


def watch(owner: Any, method: str, device: str = "cpu") -> Stopwatch:
    """Put a stopwatch around a method of one object.

    Args:
        owner: The object; its class stays as it is.
        method: Name of the method.
        device: What is waited for before and after each call.
    """
    stopwatch, call = Stopwatch(device), getattr(owner, method)

    def watched(*args: Any, **kwargs: Any) -> Any:
        with stopwatch:
            return call(*args, **kwargs)

    setattr(owner, method, watched)
    return stopwatch
