"""Fair timing on a busy machine: candidates take turns, and each is judged by its best turn."""

import time
from collections.abc import Callable, Mapping


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


def seconds_of(call: Callable[[], object]) -> float:
    """Return the seconds that one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class Stopwatch:
    """Adds up the seconds spent inside its `with` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self.seconds += time.perf_counter() - self._start
