import pytest

from offline_envs.cli.terminal.options import given_once, parse_json, parse_seeds, parse_settings
from offline_envs.dynamics import FitSettings
from offline_envs.errors import SettingsError


def test_seeds() -> None:
    assert parse_seeds("3") == [3]
    assert parse_seeds("2, 0,1") == [2, 0, 1]
    assert parse_seeds("0..3,7") == [0, 1, 2, 3, 7]
    for text in ("", "1,", "-1", "1,1", "1.5", "0..2,1", "1..", "0...2", "-1..2"):
        with pytest.raises(SettingsError, match="--seeds must be"):
            parse_seeds(text)
    with pytest.raises(SettingsError, match=r"smaller end first, got '3\.\.1'"):
        parse_seeds("3..1")


def test_json_objects() -> None:
    assert parse_json('{"a": [1]}', "--fit") == {"a": [1]}
    for text in ("", "[1]", "{a: 1}", "null"):
        with pytest.raises(SettingsError, match="--fit must be"):
            parse_json(text, "--fit")


def test_settings() -> None:
    assert parse_settings(FitSettings, {"seed": 3}, "--fit") == FitSettings(seed=3)
    with pytest.raises(SettingsError, match="--fit has a value of the wrong type"):
        parse_settings(FitSettings, {"patience": "long"}, "--fit")


def test_what_is_given_twice_has_to_agree() -> None:
    assert given_once({"seed": 3, "horizon": None}, {"rows": 5}, "--options") == {"seed": 3, "rows": 5}
    assert given_once({"seed": 3}, {"seed": 3}, "--options") == {"seed": 3}
    assert given_once({"seed": None}, {"seed": 4}, "--options") == {"seed": 4}
    message = "--train-horizon 3 contradicts the train_horizon in --options, 4. Give one of them."
    with pytest.raises(SettingsError, match=message):
        given_once({"train_horizon": 3}, {"train_horizon": 4}, "--options")
