from pathlib import Path

import pytest

from offline_envs.errors import CheckpointError
from offline_envs.files import check_identity, differences, key_of


def test_equal_values_have_equal_keys_whatever_their_order() -> None:
    assert key_of({"a": 1, "b": [2, 3]}) == key_of({"b": [2, 3], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})
    assert len(key_of({})) == 32


def test_what_differs_or_is_missing_is_named_and_what_is_new_is_not() -> None:
    assert differences({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "d": 4}) == ["b", "c"]


def test_what_was_made_from_something_else_is_refused() -> None:
    check_identity(Path("x"), {"a": (1, 2)}, {"a": [1, 2], "more": 3})
    for theirs in ({"a": [1, 3]}, {}, None):
        with pytest.raises(CheckpointError, match=r"x belongs to other a\."):
            check_identity(Path("x"), {"a": (1, 2)}, theirs)
