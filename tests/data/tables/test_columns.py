"""What may be said of columns, in a mapping or a TOML file, and what names tell."""

from pathlib import Path
from typing import Any

import pytest

from offline_envs.data import Columns, action_names, obs_names, read_columns
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
    names = ["OBS_b", "obs_a", "observable", "action[0]", "action10", "Reward", "timestamp", "next.truncated"]
    assert Columns().found_in(names) == Columns(
        obs=("OBS_b", "obs_a"),
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


def test_names_of_dimensions_are_found_or_numbered() -> None:
    assert obs_names(transitions()) == ["obs[0]"]
    named = transitions(metadata={"obs_names": ["level [m]"], "action_names": []})
    assert obs_names(named) == ["level [m]"]
    assert action_names(named) == ["action[0]"]
    assert obs_names(transitions(metadata={"obs_names": "level"})) == ["obs[0]"]
