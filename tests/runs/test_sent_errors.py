import pickle
from pathlib import Path

import pytest

from offline_envs.errors import OfflineEnvsError
from offline_envs.runs.sent_errors import SentError

ROOT = Path(__file__).parents[2]
"""Where processes find the package `tests`."""


class CodedError(Exception):
    """Python would make it anew from its text alone, which its constructor does not allow."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class HoldingError(Exception):
    """Its function cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.retry = lambda: None


def refuse() -> None:
    """Raise an error that no pipe brings to another process."""
    raise CodedError(3, "the licence server refused")


@pytest.mark.parametrize("error", [CodedError(3, "refused"), HoldingError("refused")])
def test_an_error_that_cannot_be_sent_is_told(error: Exception) -> None:
    """Otherwise the user learns only that a process died, or of a missing argument."""
    try:
        raise error
    except Exception as raised:
        sent = pickle.loads(pickle.dumps(SentError.of(raised)))
    found = sent.error()
    assert type(found) is OfflineEnvsError
    first, _, *traceback = str(found).splitlines()
    assert first.endswith(f"{type(error).__name__}: refused")
    assert traceback[0] == "Traceback (most recent call last):"
    assert any("in test_an_error_that_cannot_be_sent_is_told" in line for line in traceback)


def test_an_error_of_a_module_that_is_missing_here_is_told() -> None:
    """As one of a script, whose module has another name in a process that it starts."""
    pickled = pickle.dumps(OfflineEnvsError()).replace(b"offline_envs.errors", b"offline_envs.errorz")
    assert str(SentError(pickled, "OddError: refused").error()) == "OddError: refused"
