"""Episode boundaries that the marks of a file tell, and those that only successors tell."""

from typing import Any

import numpy as np
import pytest

from offline_envs.data import load_transitions
from offline_envs.data.episodes import broken_links
from tests.data.worlds import arrays


def walks(**changes: Any) -> dict[str, Any]:
    """Twelve episodes of 50 steps, each from another place, all of them truncated."""
    generator = np.random.default_rng(0)
    paths = [np.cumsum(generator.normal(size=(51, 2)), axis=0) for _ in range(12)]
    fields = {
        "observations": np.concatenate([path[:-1] for path in paths]),
        "next_observations": np.concatenate([path[1:] for path in paths]),
        "actions": np.zeros((600, 1)),
        "rewards": np.ones(600),
        "terminals": np.zeros(600, bool),
        "timeouts": np.arange(600) % 50 == 49,
    }
    return fields | changes


EVERY_50TH = list(range(0, 600, 50))


def test_all_marked_is_no_news() -> None:
    assert load_transitions(walks()).episode_starts.tolist() == EVERY_50TH


def test_ends_that_the_timeouts_lack() -> None:
    """A third of the marks would otherwise give 4 episodes for 12, with returns three times too high."""
    third = walks(timeouts=np.arange(600) % 150 == 149)
    message = r"timeouts and terminations mark 4 ends.*8 more rows.*first is row 49\..*12 in all"
    with pytest.warns(UserWarning, match=message):
        data = load_transitions(third)
    assert data.episode_starts.tolist() == EVERY_50TH
    assert data.episode_returns.tolist() == [50] * 12


def test_starts_that_the_list_lacks() -> None:
    some = {name: values for name, values in walks().items() if name != "timeouts"}
    message = "episode_starts and terminations mark 3 ends.*9 more rows"
    with pytest.warns(UserWarning, match=message):
        assert load_transitions(some | {"episode_starts": [0, 50, 300]}).episode_starts.tolist() == EVERY_50TH


def test_infos_of_the_row_before_an_unmarked_end_are_unknown() -> None:
    """D4RL logs infos before the step, so those of the next episode's first row are not its successor's."""
    fields = arrays(terminals=np.zeros(5, bool), **{"infos/x": np.arange(5.0)})
    with pytest.warns(UserWarning, match="1 more rows"):
        data = load_transitions(fields)
    assert data.infos["x"].isnan().tolist() == [False, False, True, False, True]


def test_rounding_ends_no_episode() -> None:
    """A successor computed as obs + change in float32 misses the next observation by a rounding or two."""
    fields = walks()
    obs = fields["observations"].astype(np.float32)
    fields["next_observations"] = obs + (fields["next_observations"] - obs).astype(np.float32)
    assert (fields["next_observations"][:-1] != obs[1:]).any(axis=1).mean() > 0.3
    assert load_transitions(fields).episode_starts.tolist() == EVERY_50TH
    del fields["timeouts"]
    assert load_transitions(fields).episode_starts.tolist() == EVERY_50TH


def test_the_bound_on_rounding_by_hand() -> None:
    """The first column reaches 8, so 8e-6 is rounding there; the second column is constant 0."""
    obs = np.array([[0.0, 0], [1, 0], [2, 0], [-8, 0]], np.float32)
    next_obs = np.array([[1 + 7e-6, 0], [2 + 9e-6, 0], [-8, 1e-9], [0, 0]], np.float32)
    assert broken_links(obs, next_obs, np.zeros(4, bool)).tolist() == [False, True, True]
    assert broken_links(obs, next_obs, np.array([0, 1, 0, 0], bool)).tolist() == [False, False, True]


@pytest.mark.parametrize("marked", [True, False])
def test_single_transitions_in_random_order(marked: bool) -> None:
    order = np.random.default_rng(1).permutation(600)
    fields = {name: values[order] for name, values in walks().items() if marked or name != "timeouts"}
    with pytest.warns(UserWarning, match=r"single transitions in random order.*Or next_obs"):
        data = load_transitions(fields)
    assert data.episode_lengths.max() <= 3


def test_normalised_successors() -> None:
    fields = walks()
    fields["next_observations"] = fields["next_observations"] / 3
    with pytest.warns(UserWarning, match=r"588 of 588 rows inside episodes.*normalised.*undo that"):
        load_transitions(fields)
