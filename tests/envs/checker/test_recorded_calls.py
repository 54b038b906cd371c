import numpy as np
import torch

from offline_envs.envs.checker.recorded_calls import equal, leaves, row_of, to_numpy


def nested() -> dict[str, object]:
    rows = np.full(2, None, dtype=object)
    rows[1] = np.array([1.0, np.nan])
    return {"a": (np.arange(3), torch.ones(2)), "b": rows, "c": "text"}


def test_copies_are_equal_until_something_is_written() -> None:
    values = nested()
    copies = to_numpy(values)
    assert all(isinstance(leaf, np.ndarray) for leaf in leaves(copies))
    assert len(leaves(copies)) == 3
    assert equal(to_numpy(values), copies)
    leaves(values)[2][0] = 7
    assert not equal(to_numpy(values), copies)


def test_differences_of_type_length_and_value_are_seen() -> None:
    assert equal(np.array([np.nan]), np.array([np.nan]))
    assert not equal(np.zeros(2), np.zeros(3))
    assert not equal({"a": 1}, {"b": 1})
    assert not equal([1, 2], (1, 2))
    assert not equal([1, 2], [1])
    assert not equal("a", "b")


def test_one_row_of_nested_observations() -> None:
    batch = {"a": (np.arange(6).reshape(3, 2), np.arange(3)), "b": nested()["b"]}
    row = row_of(batch, 1)
    assert row["a"][0].tolist() == [2, 3]
    assert row["a"][1] == 1
    assert row["b"][0] == 1.0
