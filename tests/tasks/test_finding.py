from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from offline_envs.errors import SettingsError, SettingsTypeError
from offline_envs.registration import TASK_ENV_IDS, TASKS
from offline_envs.tasks import Task, find_task, known_tasks
from offline_envs.tasks.finding import make_task, task_settings


def changed(name: str) -> Task:
    """The task with no setting at its default."""
    defaults = task_settings(name)
    settings = {n: (not v if isinstance(v, bool) else v + 0.3) for n, v in defaults.items()}
    assert settings
    return make_task(name, settings)


@pytest.mark.parametrize("name", TASKS)
def test_every_entry_of_the_table_is_a_task(name: str) -> None:
    """Besides its file, a task needs only its line in the table."""
    task = find_task(name)
    assert (task.name, task.env_id) == (name, TASKS[name][0])
    assert task.settings == {}
    assert str(task) == name
    assert task.env_id in gym.registry
    assert task.base_env_id in gym.registry
    assert task.formula
    assert task.source


def test_no_two_tasks_share_an_environment() -> None:
    assert len(set(TASK_ENV_IDS)) == len(TASKS)
    assert tuple(task.env_id for task in known_tasks()) == TASK_ENV_IDS


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_read_back_from_its_text(name: str) -> None:
    task = changed(name)
    assert set(task.settings) == set(task_settings(name))
    again = find_task(str(task))
    assert again.settings == task.settings
    assert (str(again), again.formula) == (str(task), task.formula)


def test_settings_follow_a_colon() -> None:
    task = find_task("ant-angle:degrees=45,survive_bonus=1")
    assert task.settings == {"degrees": 45.0, "survive_bonus": 1.0}
    assert str(task) == "ant-angle:degrees=45.0,survive_bonus=1.0"
    assert task.formula == "vx cos(45 deg) + vy sin(45 deg) - 0.5 |a|^2 + 1 if healthy"
    assert find_task("ant-angle: degrees = -4.5e1 ,").settings == {"degrees": -45.0}


@pytest.mark.parametrize("text", ["True", "true", "TRUE"])
def test_booleans_are_read_in_any_spelling(text: str) -> None:
    assert find_task(f"halfcheetah-jump:literal_max={text}").settings == {"literal_max": True}


def test_a_setting_at_its_default_is_not_named() -> None:
    assert str(find_task("ant-angle:degrees=30,survive_bonus=0")) == "ant-angle"


def test_a_task_is_returned_unchanged() -> None:
    task = find_task("halfcheetah-velocity")
    assert find_task(task) is task


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ant-angel", f"Unknown task 'ant-angel'. Valid: {', '.join(sorted(TASKS))}."),
        ("", "Unknown task ''"),
        ("AntAngle-v0", "AntAngle-v0 is the environment of ant-angle."),
        ("ant-angle:angle=3", "Unknown setting of ant-angle 'angle'. Valid: control_cost, degrees, surv"),
        ("ant-angle:45", "Unknown setting of ant-angle '45'"),
        ("ant-angle:degrees", "degrees of a task must be a finite number, e.g. 30.0, got ''"),
        ("ant-angle:degrees=north", "must be a finite number, e.g. 30.0, got 'north'"),
        ("ant-angle:degrees=true", "must be a finite number, e.g. 30.0, got True"),
        ("ant-angle:degrees=[1]", "must be a finite number, e.g. 30.0, got [1]"),
        ("ant-angle:degrees=nan", "must be a finite number"),
        ("ant-angle:degrees=1e999", "must be a finite number"),
        ("ant-angle:degrees=1,degrees=2", "Duplicate task setting 'degrees' in 'degrees=1,degrees=2'"),
        ("halfcheetah-jump:literal_max=1", "must be True or False, e.g. False, got 1"),
        ("halfcheetah-jump:literal_max=no", "must be True or False, e.g. False, got 'no'"),
    ],
)
def test_what_is_not_a_task_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        find_task(text)
    assert message in str(refusal.value)


@pytest.mark.parametrize("nothing", [None, 3, {"name": "ant-angle"}])
def test_what_is_neither_text_nor_task_is_refused(nothing: Any) -> None:
    with pytest.raises(SettingsTypeError, match=r"a Task or its name, e\.g\. '"):
        find_task(nothing)


@pytest.mark.parametrize("value", [45, 45.0, np.int64(45), np.float32(45), np.float64(45)])
def test_numbers_of_numpy_are_numbers(value: Any) -> None:
    """Sweeps draw their settings from arrays."""
    settings = make_task("ant-angle", {"degrees": value}).settings
    assert settings == {"degrees": 45.0}
    assert type(settings["degrees"]) is float


def test_booleans_of_numpy_are_booleans() -> None:
    assert make_task("halfcheetah-jump", {"literal_max": np.bool_(True)}).settings == {"literal_max": True}
    for name, setting, value in [
        ("ant-angle", "degrees", np.bool_(True)),
        ("halfcheetah-jump", "literal_max", np.int64(1)),
    ]:
        with pytest.raises(SettingsError, match="must be"):
            make_task(name, {setting: value})
