from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError
from tests.data.worlds import arrays, same, transitions


def test_this_packages_own_names() -> None:
    data = load_transitions(
        {
            "obs": [[0, 5], [1, 5], [7, 5]],
            "actions": [[0.5], [-0.5], [1]],
            "rewards": [1, 2, 3],
            "next_obs": [[1, 5], [2, 5], [8, 5]],
            "terminated": [0, 1, 0],
            "truncated": [0, 0, 1],
            "infos": {"x": [4, 5, 6]},
        }
    )
    assert data.obs.tolist() == [[0, 5], [1, 5], [7, 5]]
    assert data.next_obs.tolist() == [[1, 5], [2, 5], [8, 5]]
    assert data.terminated.tolist() == [False, True, False]
    assert data.episode_starts.tolist() == [0, 2]
    assert data.infos["x"].tolist() == [4, 5, 6]
    assert {tensor.dtype for tensor in (data.obs, data.actions, data.rewards)} == {torch.float32}
    assert data.obs.is_contiguous()


def test_later_changes_of_the_arrays_have_no_effect() -> None:
    given_arrays = arrays(rewards=np.ones(5, np.float32))
    data = load_transitions(given_arrays)
    given_arrays["rewards"][:] = 9
    assert data.rewards.tolist() == [1] * 5


def test_tensors_are_arrays() -> None:
    tensors = {name: torch.from_numpy(values) for name, values in arrays().items()}
    assert same(load_transitions(tensors), load_transitions(arrays()))


def test_gradients_of_tensors_are_left_behind() -> None:
    tensors = {name: torch.from_numpy(values) for name, values in arrays().items()}
    tensors["observations"].requires_grad_()
    data = load_transitions({**tensors, "infos": {"x": torch.ones(5, requires_grad=True)}})
    assert same(data, load_transitions(arrays()))
    assert not data.obs.requires_grad


def test_masked_values_are_refused_and_none_masked_are_values() -> None:
    """What lies under a mask is a filler such as −9999, which a model would learn from."""
    obs = np.ma.masked_equal(arrays(observations=[[0.0], [-9999], [2], [10], [-9999]])["observations"], -9999)
    with pytest.raises(DatasetError, match=r"obs must have no masked values; 2 of 5 rows.*first is row 1"):
        load_transitions(arrays(observations=obs))
    whole = np.ma.masked_equal(arrays()["observations"], -9999)
    assert same(load_transitions(arrays(observations=whole)), load_transitions(arrays()))


def test_masked_infos_are_unknown() -> None:
    infos = {"x": np.ma.masked_equal([1.0, -9999, 3, 4, 5], -9999)}
    assert load_transitions(arrays(infos=infos)).infos["x"].isnan().tolist() == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_an_archive_equals_its_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    np.savez_compressed(tmp_path / "b.npz", **arrays())
    assert same(load_transitions(tmp_path / "a.npz"), load_transitions(arrays()))
    assert same(load_transitions(str(tmp_path / "b.npz")), load_transitions(arrays()))


def test_the_fields_of_transitions_come_back() -> None:
    data = transitions(6, episode_starts=torch.tensor([0, 2]))
    names = ("obs", "actions", "rewards", "next_obs", "terminated", "episode_starts")
    assert same(load_transitions({name: getattr(data, name) for name in names}), data)


def test_without_timeouts_an_episode_ends_where_the_successor_is_another() -> None:
    no_ends = arrays(timeouts=None, terminals=np.zeros(5, bool))
    assert load_transitions(no_ends).episode_starts.tolist() == [0, 3]


def test_episode_starts_show_where_successors_are_unknown() -> None:
    starts = arrays(timeouts=None, next_observations=None, episode_starts=np.array([0, 1, 3], np.uint8))
    with pytest.warns(UserWarning, match="3 of 5 rows are dropped"):
        data = load_transitions(starts)
    assert data.obs[:, 0].tolist() == [1, 10]
    assert data.next_obs[:, 0].tolist() == [2, 11]
    assert data.episode_starts.tolist() == [0, 1]


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=6), st.booleans())
@settings(deadline=None, max_examples=40)
def test_no_leak_whatever_the_episodes(episodes: list[tuple[int, bool]], with_successors: bool) -> None:
    lengths = [length for length, _ in episodes]
    ends = np.cumsum(lengths) - 1
    terminals = np.zeros(sum(lengths), bool)
    terminals[ends] = [terminated for _, terminated in episodes]
    timeouts = np.isin(np.arange(sum(lengths)), ends) & ~terminals
    obs = np.concatenate([100.0 * i + np.arange(n) for i, n in enumerate(lengths)])[:, None]
    fields = arrays(
        observations=obs,
        next_observations=obs + 1 if with_successors else None,
        actions=np.zeros((len(obs), 1)),
        rewards=np.zeros(len(obs)),
        terminals=terminals,
        timeouts=timeouts,
    )
    if not with_successors and max(lengths) == 1:
        with pytest.raises(DatasetError, match="no row has a known successor"):
            load_transitions(fields)
        return
    if with_successors:
        data, kept = load_transitions(fields), lengths
    else:
        with pytest.warns(UserWarning, match=f"{len(lengths)} of {len(obs)} rows are dropped"):
            data = load_transitions(fields)
        kept = [n - 1 for n in lengths if n > 1]
    assert data.episode_lengths.tolist() == kept
    assert torch.equal(data.next_obs, data.obs + 1)
    inside = torch.ones(len(data) - 1, dtype=torch.bool)
    inside[data.episode_starts[1:] - 1] = False
    assert torch.equal(data.next_obs[:-1][inside], data.obs[1:][inside])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actions": None}, r"Arrays lacks actions. Found: next_observations, observations, rewards, term"),
        ({"obs": np.zeros((5, 1))}, "obs is given more than once, as obs, observations"),
        ({"rewards": np.zeros(4)}, r"shapes disagree: need obs \(n, d\).*received .*rewards \(4,\)"),
        ({"rewards": np.zeros((5, 1))}, r"every other field \(n,\).*rewards \(5, 1\)"),
        ({"observations": np.zeros(5)}, r"need obs \(n, d\).*obs \(5,\)"),
        ({"observations": np.zeros((5, 1, 2))}, r"need obs \(n, d\).*obs \(5, 1, 2\)"),
        ({"observations": np.zeros((5, 2))}, r"obs \(5, 2\).*next_obs \(5, 1\)"),
        ({"actions": np.zeros((5, 0))}, r"with d and k at least 1; received .*actions \(5, 0\)"),
        ({"observations": np.full((5, 1), "a")}, r"obs must be an array of numbers, received dtype <U1"),
        ({"observations": np.full((5, 1), None)}, r"obs must be an array of numbers, received dtype object"),
        ({"rewards": 1.0}, r"rewards must be an array of numbers, received dtype float64 and shape \(\)"),
        ({"observations": [[1.0], [2.0, 3.0]]}, "obs is not an array"),
        ({"terminals": np.full(5, 0.5)}, "terminated must hold 0 or 1, row 0 holds 0.5"),
        ({"episode_starts": [0.0]}, "must be a 1-D array of integers that begins with 0.*float64"),
        ({"episode_starts": [1, 3]}, r"begins with 0, received int64 \(2,\) beginning with \[1, 3\]"),
        ({"episode_starts": [0, 3, 3]}, "1 of 3 break this, the first is episode 1 at row 3"),
        ({"episode_starts": np.array([0, 7], np.uint64)}, "below the 5 rows"),
        ({"infos": [{}]}, "infos must be a mapping of arrays, received list"),
        (
            {"actions": np.full((5, 1), 1.5)},
            r"5 of 5 actions lie outside Box.*first in row 0: \[1.5\].*env_id=",
        ),
    ],
)
def test_what_is_refused_and_how(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_transitions(arrays(**changes))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("field", ["observations", "next_observations", "actions", "rewards"])
def test_what_is_not_finite_is_refused(field: str, value: float) -> None:
    fields = arrays()
    fields[field][[1, 4]] = value
    name = {"observations": "obs", "next_observations": "next_obs"}.get(field, field)
    with pytest.raises(
        DatasetError, match=rf"Arrays: {name} must be finite.*2 of 5 rows.*first is row 1 with"
    ):
        load_transitions(fields)


def test_no_rows() -> None:
    with pytest.raises(DatasetError, match="Arrays holds 0 transitions; at least 1"):
        load_transitions({name: values[:0] for name, values in arrays().items()})


def test_names_that_are_not_read_are_reported() -> None:
    """A misspelt `timeout` that goes unnoticed would let episodes leak."""
    with pytest.warns(UserWarning, match="Arrays: ignored timeout. Valid names: .*timeouts"):
        load_transitions(arrays(timeout=np.zeros(5)))


def test_a_text_file_is_not_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("obs")
    with pytest.raises(DatasetError, match=r"a.npz is not an .npz archive.*numpy.savez"):
        load_transitions(tmp_path / "a.npz")


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-60])
    with pytest.raises(DatasetError, match="truncated"):
        load_transitions(tmp_path / "a.npz")


def test_an_altered_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(np.float64(10.0).tobytes())] ^= 255
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DatasetError, match=r"cannot be read: .*Bad CRC-32"):
        load_transitions(tmp_path / "a.npz")


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(rewards=np.array([None] * 5)))
    with pytest.raises(DatasetError, match=r"cannot be read: Object arrays cannot be loaded.*plain arrays"):
        load_transitions(tmp_path / "a.npz")
