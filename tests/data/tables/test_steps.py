"""Rows of a table are the steps that the same rows are as arrays; every refusal says where."""

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box

from offline_envs.data import Transitions, load_transitions
from offline_envs.errors import DatasetError, SettingsError
from tests.data.tables.plants import COLUMNS, as_arrays, rows
from tests.data.worlds import same


def load(columns: Any = None, **changes: Any) -> Transitions:
    """The known rows with changed columns, and with changed keys; None takes either away."""
    keys = COLUMNS | (columns or {})
    return load_transitions(
        rows(**changes), columns={key: value for key, value in keys.items() if value is not None}
    )


def without_final_rows() -> dict[str, list[Any]]:
    return {name: values[:3] + values[4:6] for name, values in rows().items()}


def test_rows_with_final_rows_are_the_same_steps_as_arrays() -> None:
    found = load()
    assert same(found, load_transitions(as_arrays()))
    assert found.metadata == {"obs_names": ["level", "flow"], "action_names": ["valve"]}


def test_a_final_row_may_be_filled_if_that_is_said() -> None:
    filled = {"valve": [0.1, 0.2, 0.3, 9, 0.4, -0.5, 9], "gain": [1.0, 2, 3, 9, 4, 5, 9]}
    assert same(load({"final_rows": True}, **filled), load())


def test_a_termination_in_the_final_row_is_that_of_the_step_before() -> None:
    assert same(load(spilled=[0, 0, 0, 1, 0, 0, None]), load())


def test_columns_of_successors_keep_every_row() -> None:
    table = without_final_rows() | {"level2": [1.5, 2.5, 3.5, 11, 12], "flow2": [2, 3, 4, 6, 7]}
    found = load_transitions(table, columns=COLUMNS | {"next_obs": ["level2", "flow2"]})
    assert same(found, load_transitions(as_arrays()))


def test_without_successors_the_last_row_of_an_episode_is_dropped() -> None:
    arrays = {name: values for name, values in as_arrays().items() if name != "next_observations"}
    with pytest.warns(UserWarning, match="2 of 5 rows are dropped"):
        expected = load_transitions(arrays)
    with pytest.warns(UserWarning, match="2 of 5 rows are dropped"):
        found = load_transitions(without_final_rows(), columns=COLUMNS)
    assert same(found, expected)


def test_truncations_tell_episodes_apart() -> None:
    table = without_final_rows() | {"cut": [0, 0, 0, 0, 1]}
    keys = COLUMNS | {"truncated": "cut"}
    del keys["episode"], table["batch"]
    with pytest.warns(UserWarning, match="2 of 5 rows are dropped"):
        found = load_transitions(table, columns=keys)
    assert found.episode_lengths.tolist() == [2, 1]


def test_all_rows_may_be_one_episode() -> None:
    with pytest.warns(UserWarning, match="1 of 5 rows are dropped"):
        found = load_transitions(
            without_final_rows(), columns=COLUMNS | {"episode": False, "terminated": False}
        )
    assert found.episode_lengths.tolist() == [4]
    assert found.next_obs[2].tolist() == [10, 5]


def test_names_alone_may_tell() -> None:
    known = rows()
    table = {
        "Obs_0": known["level"],
        "obs.1": known["flow"],
        "ACTION": known["valve"],
        "reward": known["gain"],
        "episode_id": known["batch"],
        "terminal": known["spilled"],
        "note": ["text"] * 7,
    }
    assert same(load_transitions(table, columns={}), load())


def successors_beside_observations() -> dict[str, list[Any]]:
    """Two steps from 0 over 1 to 2, whose successors are recorded."""
    return {
        "obs": [0.0, 1.0],
        "obs_next": [1.0, 2.0],
        "action": [0.5, -0.5],
        "reward": [1.0, 1.0],
        "episode": [0, 0],
        "terminated": [0, 0],
    }


def test_recorded_successors_are_found_beside_observations() -> None:
    found = load_transitions(successors_beside_observations(), columns={})
    assert found.obs.tolist() == [[0], [1]]
    assert found.next_obs.tolist() == [[1], [2]]


def test_columns_beside_a_key_are_left_out_with_one_warning() -> None:
    """The probability of an action as an action of its own would be one that nothing obeys."""
    table = successors_beside_observations() | {"action_logprob": [-1.0, -2.0], "obs_text": ["a", "b"]}
    message = r"'obs_text', 'action_logprob' left out: .*columns=\{'obs': \[\.\.\.\], 'action': \[\.\.\.\]\}"
    with pytest.warns(UserWarning, match=message) as caught:
        found = load_transitions(table, columns={})
    assert len(caught) == 1
    assert found.metadata == {"obs_names": ["obs"], "action_names": ["action"]}
    given = {"obs": "obs", "action": ["action", "action_logprob"]}
    assert load_transitions(table, columns=given).action_dim == 2


def test_columns_that_alone_begin_like_a_key_have_to_be_named() -> None:
    known = rows()
    table = {"obs_level": known["level"], "obs_flow": known["flow"], **rows(level=None, flow=None)}
    with pytest.raises(DatasetError, match=r"columns=\{'obs': \['obs_level', 'obs_flow'\]\}"):
        load_transitions(table, columns={key: value for key, value in COLUMNS.items() if key != "obs"})


def test_the_reward_may_be_one_number() -> None:
    assert load({"reward": 2}).rewards.tolist() == [2, 2, 2, 2, 2]


def test_units_are_kept_in_names() -> None:
    found = load({"units": {"level": "m", "valve": "%"}})
    assert found.metadata == {"obs_names": ["level [m]", "flow"], "action_names": ["valve [%]"]}


def test_actions_are_bounded_by_the_data_or_as_given() -> None:
    space = load().action_space
    assert (space.low.tolist(), space.high.tolist()) == ([-0.5], [np.float32(0.4)])
    space = load({"action_low": -1, "action_high": [2.0]}).action_space
    assert (space.low.tolist(), space.high.tolist()) == ([-1], [2])
    with pytest.raises(SettingsError, match=r"action_low must be one number or 1, .* got 2"):
        load({"action_low": [0, 0]})
    with pytest.raises(DatasetError, match=r"dimension 0 of the action reaches from 1\.0 to 1\.0"):
        load(valve=[1, 1, 1, None, 1, 1, None])
    with pytest.raises(DatasetError, match="1 of 5 actions lie outside"):
        load({"action_high": 0.35})


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_an_action_that_never_changes_needs_bounds_from_elsewhere(value: float) -> None:
    """A table of zeros is neither a choice among one nor in the way of what says more."""
    constant = rows(valve=[value if v is not None else None for v in rows()["valve"]])
    with pytest.raises(DatasetError, match=rf"low must lie below high; .* from {value} to {value}"):
        load_transitions(constant, columns=COLUMNS)
    space = Box(-1.0, 2.0, (1,))
    assert load_transitions(constant, columns=COLUMNS, action_space=space).action_space == space
    swing = {**COLUMNS, "obs": ["level", "flow", "flow2"]}
    still = {**constant, "flow2": constant["flow"]}
    with pytest.warns(UserWarning, match="outside the bounds"):
        assert load_transitions(still, columns=swing, env_id="Pendulum-v1").action_space == Box(-2, 2, (1,))
    for parts in ([rows(), constant], [constant, rows()]):
        joined = load_transitions(parts, columns=COLUMNS)
        assert joined.action_space == Box(-0.5, max(0.4, value), (1,))
    with pytest.raises(DatasetError, match=rf"low must lie below high; .* from {value} to {value}"):
        load_transitions([constant, constant], columns=COLUMNS)
    with pytest.raises(DatasetError, match=r"low must lie below high; .* from 3.0 to"):
        load_transitions(constant, columns={**COLUMNS, "action_low": 3}, action_space=space)


def test_an_environment_that_is_named_has_its_own_bounds() -> None:
    table = {name: [0.0] * 3 for name in ("obs_0", "obs_1", "obs_2", "reward")}
    with pytest.warns(UserWarning, match="1 of 3 rows are dropped"):
        found = load_transitions(
            table | {"action": [0.5, 1, 2], "obs_0": [0, 0.5, 1]},
            columns={"episode": False, "terminated": False},
            env_id="Pendulum-v1",
        )
    assert found.action_space.high.tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"level": [0.5, 1.5, None, 3.5, 10, 11, 12]}, r"column 'level' .* 1 of 7 .*: row 2 is empty"),
        ({"valve": [0.1, None, 0.3, None, 0.4, 0.5, None]}, r"column 'valve' .*: row 1 is empty"),
        ({"valve": [0.1, 0.2, 0.3, None, 0.4, 0.5, 0.6]}, r"column 'valve' .*: row 3 is empty"),
        ({"gain": [1.0, 2, float("inf"), None, 4, 5, None]}, r"column 'gain' .*: row 2 holds inf"),
        ({"flow": [1.0, 2, 3, 1e39, 5, 6, 7]}, r"column 'flow' .*: row 3 holds 1e\+39"),
        ({"flow": [1, 2, 3, 4, "low", 6, 7]}, r"column 'flow' must hold numbers; row 4 holds 'low'"),
        ({"spilled": [0, 0, 2, 0, 0, 0, 0]}, r"column 'spilled' must hold 0 or 1.*row 2 holds 2"),
        ({"spilled": [0, 0, 1, 0, None, 0, 0]}, r"column 'spilled' .*row 4 holds nan"),
        ({"batch": list("aaabbba")}, r"episode 'a' in column 'batch' begins again in row 6"),
        ({"batch": ["a", "a", "a", "a", None, "b", "b"]}, r"column 'batch' .*; row 4 holds None"),
        ({"batch": [1, 1, 1, 1, None, 2, 2]}, r"column 'batch', the episode, is empty in row 4"),
        ({"gain": None}, r"has no column 'gain'. It has: 'batch', 'level'"),
    ],
)
def test_what_is_missing_or_no_number_is_refused_with_its_place(changes: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load(**changes)


def test_keys_that_names_do_not_tell_are_asked_for() -> None:
    table = {"obs": [0.0, 1.0], "action": [0.0, 1.0], "rewards": [0.0, 1.0], "reward": [1.0, 2.0]}
    with pytest.raises(DatasetError, match=r"columns=\{'reward': \.\.\.\}, or one number for all rows"):
        load_transitions(table, columns={})
    with pytest.raises(DatasetError, match=r"columns=\{'episode': False\} if all rows are one"):
        load_transitions(table, columns={"reward": "reward"})
    with pytest.raises(DatasetError, match=r"no column.* is called obs or .*columns=\{'obs': "):
        load_transitions({"x": [1.0]}, columns={})


def test_without_a_word_on_terminations_there_is_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"so none did.*columns=\{'terminated': False\}"):
        found = load({"terminated": None})
    assert not found.terminated.any()
    assert same(found, load({"terminated": False}))


def test_a_termination_in_the_middle_splits_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"1 steps terminate in the middle.*'spilled'"):
        found = load(spilled=[0, 1, 0, 0, 0, 0, 0])
    assert found.episode_lengths.tolist() == [2, 1, 2]


def test_final_rows_need_episodes() -> None:
    with pytest.raises(SettingsError, match="final_rows needs episode"):
        load({"final_rows": True, "next_obs": ["x", "y"]}, x=[1.0] * 7, y=[1.0] * 7)
    with pytest.raises(DatasetError, match="no step before them"):
        load_transitions(
            {"obs": [1.0, 2.0], "action": [0.0, 0.0], "reward": [0, 0], "episode": [0, 1]},
            columns={"final_rows": True, "terminated": False},
        )
