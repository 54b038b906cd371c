"""What may be said of columns, in a mapping or a TOML file, and what names tell."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from offline_envs.data import (
    Columns,
    NamedTable,
    action_names,
    load_transitions,
    obs_names,
    output_names,
    read_columns,
    with_history,
)
from offline_envs.errors import SettingsError
from tests.data.worlds import transitions

TOML = """
obs = ["level", "flow"]
action = "valve"
reward = 1
episode = "batch"
terminated = false
action_high = [1, 2]

[units]
level = "m"
"""


def test_a_file_says_what_a_mapping_does(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(TOML, encoding="utf-8")
    found = Columns.of(tmp_path / "plant.toml")
    assert found == Columns(
        obs=("level", "flow"),
        action=("valve",),
        reward=1,
        episode="batch",
        terminated=False,
        action_high=(1, 2),
        units={"level": "m"},
    )
    assert Columns.of(read_columns(str(tmp_path / "plant.toml"))) == found
    assert Columns.of(found) is found
    assert found.key != Columns.of({"obs": "level"}).key


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read: No such file.*TOML file or a mapping"):
        Columns.of(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("obs = [", encoding="utf-8")
    with pytest.raises(SettingsError, match="is not TOML"):
        Columns.of(tmp_path / "broken.toml")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"observation": "x"}, r"Unknown key of columns 'observation'. Valid: action, action_high"),
        ({"obs": 3}, r"obs must be a column's name or a list of these, got 3"),
        ({"obs": []}, r"obs must be a column's name or a list"),
        ({"terminated": True}, r"terminated must be a column's name, or False for no such column, got True"),
        ({"reward": True}, r"reward must be a column's name or a number, got True"),
        ({"final_rows": 1}, r"final_rows must be True or False, got 1"),
        ({"action_low": "x"}, r"action_low must be a number or one for each dimension"),
        ({"units": {"x": 1}}, r"units must be units by column"),
        ({"obs": ["x", "y"], "action": "y"}, r"each column has one meaning; \['y'\] would have several"),
    ],
)
def test_what_is_not_valid_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Columns.of(given)


def test_names_tell_what_is_not_given() -> None:
    names = ["OBS_1", "obs_0", "observable", "action[0]", "action10", "Reward", "timestamp", "next.truncated"]
    assert Columns().found_in(names) == Columns(
        obs=("OBS_1", "obs_0"),
        action=("action[0]", "action10"),
        reward="Reward",
        truncated="next.truncated",
        time="timestamp",
    )
    assert Columns(obs=("observable",), time=False).found_in(names).obs == ("observable",)
    assert Columns(time=False).found_in(names).time is False
    assert Columns().found_in(["reward", "rewards"]).reward is None
    assert Columns(reward="reward").found_in(["reward", "rewards"]).reward == "reward"
    assert Columns(obs=("action",)).found_in(["action", "actions"]).action == ("actions",)


@pytest.mark.parametrize("name", ["obs_next", "next.obs", "Observation_Next"])
def test_successors_are_no_part_of_the_observation(name: str) -> None:
    """A model that sees the successor in the observation predicts it without error, and nothing else."""
    single = Columns().found_in(["obs", name])
    assert (single.obs, single.next_obs) == (("obs",), (name,))
    series = [f"{name}_0", f"{name}_1"]
    several = Columns().found_in(["obs_0", *series, "obs_1"])
    assert (several.obs, several.next_obs) == (("obs_0", "obs_1"), tuple(series))


@pytest.mark.parametrize(
    ("role", "taken", "left_out"),
    [
        ("action", ["action"], ["action_logprob", "action_mask_3"]),
        ("action", ["action_0", "action_1"], ["action_log_prob"]),
        ("obs", ["obs"], ["obs2"]),
        ("obs", ["observation.state"], ["observation.text"]),
        ("next_obs", ["next_obs"], ["next_obs_mask"]),
        ("obs", [], ["obs_level", "obs_flow"]),
    ],
)
def test_what_merely_begins_like_a_key_is_left_out(role: str, taken: list[str], left_out: list[str]) -> None:
    names = [*taken, *left_out]
    assert getattr(Columns().found_in(names), role) == tuple(taken)
    assert Columns().left_out(names) == {role: left_out}
    assert Columns.of({role: names}).left_out(names) == {}


def test_names_of_dimensions_are_found_or_numbered() -> None:
    assert obs_names(transitions()) == ["obs[0]"]
    named = transitions(metadata={"obs_names": ["level [m]"], "action_names": []})
    assert obs_names(named) == ["level [m]"]
    assert action_names(named) == ["action[0]"]
    assert obs_names(transitions(metadata={"obs_names": "level"})) == ["obs[0]"]


def test_parts_of_a_dict_name_their_columns() -> None:
    space = Dict({"speed": Box(-1, 1, ()), "place": Box(-1, 1, (2,))})
    flat = torch.zeros(4, 3)
    nested = transitions(obs=flat, next_obs=flat, obs_space=space)
    assert obs_names(nested) == obs_names(nested.flattened) == ["place[0]", "place[1]", "speed"]
    assert output_names(nested) == ["reward", "place[0]", "place[1]", "speed"]
    stacked = with_history(nested, 2)
    assert obs_names(stacked) == ["place[0]", "place[1]", "speed", *(f"obs[{i}]" for i in range(3, 7))]


def test_choices_are_named_by_their_number() -> None:
    space = MultiDiscrete([2, 3], start=[0, 5])
    columns: dict[str, Any] = {"actions": torch.zeros(4, 5), "discrete_actions": space}
    assert action_names(transitions(**columns))[:3] == ["action[0] = 0", "action[0] = 1", "action[1] = 5"]
    named = transitions(**columns, metadata={"action_names": ["valve", "gear"]})
    assert action_names(named)[1:] == ["valve = 1", "gear = 5", "gear = 6", "gear = 7"]
    single = transitions(actions=torch.zeros(4, 2), discrete_actions=Discrete(2))
    assert action_names(single) == ["action = 0", "action = 1"]


def test_messages_call_columns_by_their_names(tmp_path: Path) -> None:
    rows = [f"{5.4e6 + 0.001 * i},{i % 3},0.5,{i // 200}" for i in range(2000)]
    (tmp_path / "tank.csv").write_text("\n".join(["level,flow,valve,batch", *rows]))
    columns: dict[str, Any] = {"obs": ["level", "flow"], "action": "valve", "reward": 1, "episode": "batch"}
    columns |= {"terminated": False, "action_low": -1e30, "action_high": 1e30}
    columns["units"] = {"level": "m", "valve": "%"}
    with pytest.warns(UserWarning, match="tank.csv") as caught:
        load_transitions(NamedTable(tmp_path / "tank.csv", columns))
    messages = "\n".join(str(warning.message) for warning in caught)
    assert "too coarse for the steps of level [m] (" in messages
    assert "dimensions valve [%] of the action space" in messages
