"""`StopRequest`: Ctrl-C and SIGTERM as a request to stop where a run can resume exactly."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether the user or the system has asked the run to stop.

    Attributes:
        made: Whether it was made.
        at_once: Whether it was made again.
    """

    def __init__(self) -> None:
        self.made = self.at_once = False

    def make(self) -> None:
        """Ask to stop.

        Raises:
            KeyboardInterrupt: It was made before, so the run stops at once.
        """
        if self.made:
            self.at_once = True
            raise KeyboardInterrupt
        self.made = True


@contextmanager
def stop_request(on_first: Callable[[], None], request: StopRequest | None = None) -> Iterator[StopRequest]:
    """Turn the first of `SIGNALS` into a request and the second into a KeyboardInterrupt.

    Python lets only the main thread handle signals; elsewhere nothing changes.

    Args:
        on_first: Called when the request is made, e.g. to say that the run stops soon.
        request: What the first signal makes; None for a new one.
    """
    request = StopRequest() if request is None else request
    if not _handles_signals():
        yield request
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame  # Unused.
        request.make()
        on_first()

    # A program that was started in the background may ignore Ctrl-C, and should still.
    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in handled}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """Let a process that is started here ignore Ctrl-C, which this one passes on as a request to stop."""
    if not _handles_signals():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _handles_signals() -> bool:
    """Whether Python lets this thread handle signals: the main one alone."""
    return threading.current_thread() is threading.main_thread()
