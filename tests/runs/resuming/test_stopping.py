import os
import signal
import threading
from collections.abc import Iterator

import pytest

from offline_envs.runs.resuming.stopping import SIGNALS, stop_request
from tests.runs.resuming.test_resume import obeyed


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is obeyed."""
    with obeyed():
        yield


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_stops_at_once(number: signal.Signals) -> None:
    said, before = [], [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(KeyboardInterrupt), stop_request(lambda: said.append("soon")) as request:  # noqa: PT012
        made = [request.made]
        os.kill(os.getpid(), number)
        made.append(request.made)
        os.kill(os.getpid(), number)
        pytest.fail("not stopped")
    assert (made, said) == ([False, True], ["soon"])
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_program_that_ignores_ctrl_c_still_does() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_request(lambda: None) as request:
            os.kill(os.getpid(), signal.SIGINT)
        assert not request.made
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_cannot_handle_signals() -> None:
    made: list[bool] = []

    def work() -> None:
        with stop_request(lambda: None) as request:
            made.append(request.made)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert made == [False]
