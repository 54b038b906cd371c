"""Columns in units so large that float32 has no digits left for their steps."""

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gymnasium.spaces import Box
from numpy.typing import NDArray

from offline_envs.data import DatasetSource, load_transitions
from offline_envs.data.health.precision import block_starts, lost_columns
from tests.data.worlds import episode, write_minari

N = 1000
STEPS = np.random.default_rng(0).normal(0, 0.05, N + 1)
NORTHING = 5_400_000 + np.cumsum(STEPS)
"""Metres, five centimetres a step: neighbours in float32 are half a metre apart."""

ORDINARY = np.cumsum(STEPS)


def path_of(*columns: NDArray[Any]) -> dict[str, Any]:
    """One episode through the columns."""
    obs = np.stack(columns, axis=1)
    return {
        "observations": obs[:-1],
        "next_observations": obs[1:],
        "actions": np.zeros((N, 1)),
        "rewards": np.zeros(N),
        "terminals": np.zeros(N, bool),
        "timeouts": np.arange(N) == N - 1,
    }


def through_door(door: str, fields: dict[str, Any], folder: Path) -> DatasetSource:
    """The same data as a mapping, archive, file, Minari dataset or list."""
    match door:
        case "npz":
            np.savez(folder / "a.npz", **fields)
            return folder / "a.npz"
        case "hdf5":
            with h5py.File(folder / "a.hdf5", "w") as file:
                for name, values in fields.items():
                    file[name] = values
            return folder / "a.hdf5"
        case "minari":
            observations = np.append(fields["observations"], fields["next_observations"][-1:], axis=0)
            space = Box(-np.inf, np.inf, observations.shape[1:], observations.dtype.type)
            whole = episode(0, N, observations=observations)
            wide = Box(-10.0, 10.0, (1,))
            write_minari("a-v0", [whole], observation_space=space, action_space=wide)
            return "a-v0"
        case "list":
            return [fields, path_of(ORDINARY, ORDINARY)]
    return fields


@pytest.mark.parametrize("door", ["mapping", "npz", "hdf5", "minari", "list"])
def test_every_door_names_the_column(door: str, tmp_path: Path) -> None:
    """Nine in ten steps of the northing would otherwise be 0 without a word."""
    dataset = through_door(door, path_of(ORDINARY, NORTHING), tmp_path)
    message = r"float32 is too coarse for the steps of obs column 1 \(9\d% become 0\)\. Subtract an offset"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = load_transitions(dataset)
    assert len(caught) == 1
    with pytest.raises(UserWarning, match=message):
        raise caught[0].message  # type: ignore[misc]
    true = NORTHING[1:].astype(np.float32) == NORTHING[:-1].astype(np.float32)
    assert float((data.next_obs[:N, 1] == data.obs[:N, 1]).float().mean()) == pytest.approx(true.mean())


@pytest.mark.parametrize("door", ["mapping", "npz", "hdf5", "minari"])
def test_the_remedy_silences_it(door: str, tmp_path: Path) -> None:
    load_transitions(through_door(door, path_of(ORDINARY, NORTHING - 5_400_000), tmp_path))


def test_without_successors_the_next_row_is_one() -> None:
    fields = path_of(NORTHING)
    del fields["next_observations"]
    with (
        pytest.warns(UserWarning, match=r"1 of 1000 rows"),
        pytest.warns(UserWarning, match=r"obs column 0 \(9"),
    ):
        load_transitions(fields)


@pytest.mark.parametrize("door", ["mapping", "npz", "hdf5"])
def test_whole_numbers_beyond_float32_count(door: str, tmp_path: Path) -> None:
    """An encoder at forty million counts: float32 has every fourth of them."""
    fields = path_of(np.cumsum(np.ones(N + 1, np.int64)) + 40_000_000)
    with pytest.warns(UserWarning, match=r"obs column 0 \(75% become 0\)") as caught:
        load_transitions(through_door(door, fields, tmp_path))
    assert len(caught) == 1


def test_rewards_and_actions_count_too() -> None:
    fields = path_of(ORDINARY) | {"rewards": 1e9 + STEPS[:N]}
    with pytest.warns(UserWarning, match=r"steps of rewards \(100% become 0\)"):
        load_transitions(fields)


def test_what_float32_holds_or_the_file_rounded_itself_is_not_looked_at() -> None:
    small = np.cumsum(STEPS) * 1e-20
    load_transitions(path_of(small, np.full(N + 1, 1.7e9), 0.3 + 1e-17 * STEPS))
    load_transitions({name: np.asarray(v, np.float32) for name, v in path_of(NORTHING).items()})


def test_many_columns_are_counted() -> None:
    with pytest.warns(UserWarning, match=r"obs column 7 \(.*\) and 2 more\. Subtract"):
        load_transitions(path_of(*[NORTHING] * 10))


def test_a_column_by_hand() -> None:
    """Above 2²⁴ float32 has even numbers only: of the steps 1, 1 and 2 the first is lost."""
    before = np.array([[0.0, 2**24], [1, 2**24 + 1], [2, 2**24 + 2]])
    after = np.array([[1.0, 2**24 + 1], [2, 2**24 + 2], [3, 2**24 + 4]])
    assert lost_columns(before, after) == [(1, pytest.approx(1 / 3))]


def test_a_lively_column_that_often_rests_near_one_is_none() -> None:
    """The cosine of a balanced pole: most steps are 1e-9, and nobody misses them."""
    steps = np.where(np.arange(N) % 5 == 0, 0.1, 1e-9)
    before = np.ones((N, 1))
    assert lost_columns(before, before - steps[:, None]) == []


def test_blocks_are_spread_over_the_rows() -> None:
    assert block_starts(101) == [0]
    starts = block_starts(1_000_000)
    assert (len(starts), starts[0], starts[-1]) == (20, 0, 1_000_000 - 101)
