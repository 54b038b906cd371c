"""Random datasets through every door, beside a plain loop: the same rows, or an error at all of them.

`make fuzz` tries thousands. `OFFLINE_ENVS_FUZZ` is the number of datasets; then they are new each time.
"""

import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offline_envs.data import DatasetSource, Transitions, load_transitions
from offline_envs.errors import DatasetError
from tests.data.random_datasets import World, as_hdf5, as_minari, as_npz, worlds

EXAMPLES = int(os.environ.get("OFFLINE_ENVS_FUZZ", "200"))
PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="OFFLINE_ENVS_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
COUNTS: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def print_counts() -> Iterator[None]:
    """With `-s`, say how much was tried."""
    yield
    print("\nrandom datasets:", *(f"{COUNTS[name]:>7} {name}" for name in sorted(COUNTS)), sep="\n")


class Row(NamedTuple):
    """A step as it must be loaded; `info` is None where it is unknown, and `first` begins an episode."""

    obs: list[float]
    action: list[float]
    reward: float
    next_obs: list[float]
    terminated: bool
    info: float | None
    first: bool


def single(values: Any) -> list[float]:
    """Numbers as float32 has them."""
    return [float(np.float32(value)) for value in values]


def flat_oracle(world: World) -> list[Row] | None:
    """Rows that flat arrays must give, None if they must be refused."""
    given_rows = world.rows
    if world.flaw not in ("sound", "outside"):
        return None
    told = given_rows.keys() & {"truncated", "episode_starts", "next_obs"}
    if not told:
        return None
    size, rows, first = len(given_rows["obs"]), [], True
    starts = given_rows.get("episode_starts", np.array([0])).tolist()
    for t in range(size):
        obs, last = single(given_rows["obs"][t]), t == size - 1
        after = None if last else single(given_rows["obs"][t + 1])
        ends = last or bool(given_rows["terminated"][t]) or t + 1 in starts
        if "truncated" in given_rows and given_rows["truncated"][t]:
            ends = True
        if "next_obs" in given_rows:
            successor = single(given_rows["next_obs"][t])
            ends = ends or successor != after
        elif ends:
            first = True
            continue
        else:
            assert after is not None
            successor = after
        action, reward = single(given_rows["actions"][t]), single([given_rows["rewards"][t]])[0]
        info = None if ends else single([given_rows["infos/x"][t + 1]])[0]
        rows.append(Row(obs, action, reward, successor, bool(given_rows["terminated"][t]), info, first))
        first = ends
    return accepted(rows)


def minari_oracle(world: World) -> list[Row] | None:
    """Rows that episodes must give, None if they must be refused."""
    if world.flaw not in ("sound", "outside"):
        return None
    rows = []
    for episode in world.episodes:
        for t in range(len(episode["rewards"])):
            obs, successor = single(episode["observations"][t]), single(episode["observations"][t + 1])
            action, reward = single(episode["actions"][t]), single([episode["rewards"][t]])[0]
            info = single([episode["infos/x"][t + 1]])[0]
            rows.append(Row(obs, action, reward, successor, bool(episode["terminations"][t]), info, t == 0))
    return accepted(rows)


def accepted(rows: list[Row]) -> list[Row] | None:
    """The rows, unless there are none or an action lies outside [−1, 1]."""
    return rows if rows and all(abs(a) <= 1 for row in rows for a in row.action) else None


def rows_of(data: Transitions) -> list[Row]:
    starts = set(data.episode_starts.tolist())
    infos = [None if np.isnan(x) else x for x in data.infos["x"].tolist()]
    columns = (data.obs, data.actions, data.rewards, data.next_obs, data.terminated)
    steps = zip(*(column.tolist() for column in columns), infos, strict=True)
    return [Row(*step, t in starts) for t, step in enumerate(steps)]  # type: ignore[call-arg]


def check(dataset: DatasetSource, expected: list[Row] | None, door: str) -> list[str]:
    """Load a dataset, compare it with what is expected, and return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = rows_of(load_transitions(dataset))
        except DatasetError:
            found = None
    assert found == expected, door
    COUNTS[f"{'refused' if expected is None else 'loaded'} by {door}"] += 1
    return [str(warning.message) for warning in caught]


def forgotten_ends(world: World, rows: list[Row]) -> int:
    """Ends that only the successors tell, in data with marks."""
    starts = world.rows.get("episode_starts", np.array([], int)).tolist()
    truncated = world.rows.get("truncated", np.zeros(len(rows), bool))
    return sum(
        row.first and not (before.terminated or truncated[t] or t + 1 in starts)
        for t, (before, row) in enumerate(pairwise(rows))
    )


@given(world=worlds())
@PROFILE
def test_every_door_gives_the_rows_of_a_plain_loop_or_an_error(world: World) -> None:
    flat = flat_oracle(world)
    COUNTS[f"drawn, {world.flaw}"] += 1
    with tempfile.TemporaryDirectory() as folder:
        told = check(world.fields, flat, "mapping")
        check(as_npz(world, Path(folder)), flat, "npz")
        check(as_hdf5(world, Path(folder)), flat, "hdf5")
        if world.in_minari:
            check(as_minari(world, Path(folder)), minari_oracle(world), "minari")
    if flat is not None and "next_obs" not in world.rows:
        assert any("rows are dropped" in message for message in told)
    elif flat is not None and world.rows.keys() & {"truncated", "episode_starts"}:
        forgotten = forgotten_ends(world, flat)
        assert any(f" {forgotten} " in message for message in told) == (forgotten > 0)


@given(data=st.data())
@settings(PROFILE, max_examples=max(1, EXAMPLES // 4))
def test_a_list_gives_the_rows_of_its_parts(data: st.DataObject) -> None:
    """Also through different doors, and refused if one of the parts is."""
    dims = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 2)))
    first, second = data.draw(worlds(dims)), data.draw(worlds(dims, flawed=False))
    parts = [flat_oracle(first), minari_oracle(second)]
    expected = None if None in parts else [row for part in parts for row in part or ()]
    with tempfile.TemporaryDirectory() as folder:
        check([first.fields, as_minari(second, Path(folder))], expected, "list")
