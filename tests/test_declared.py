"""Ids of a user's own: given by `register`, or declared in a file that a project names."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs
from offline_envs.declared import VARIABLE, declared_file, register_declared
from offline_envs.errors import SettingsError, SettingsTypeError
from tests.test_registration import rewards_of, vector_rewards_of

OWN = "TestsOwnModel-v0"


@pytest.fixture
def settings(toy_dataset: str, toy_model: str) -> dict[str, Any]:
    return {"dataset": toy_dataset, "model": toy_model, "termination": "never", "penalty_coef": 0.5}


@pytest.fixture(autouse=True)
def unregistered() -> Any:
    yield
    gym.registry.pop(OWN, None)


def declare(folder: Path, settings: dict[str, Any], base: str = "PenalizedModel-v0") -> Path:
    """A file that declares one id."""
    path = folder / "environments.toml"
    lines = [f"{name} = {value!r}" for name, value in {"base": base, **settings}.items()]
    path.write_text("\n".join([f"[{OWN}]", *lines]))
    return path


def test_an_id_of_its_own_stands_for_base_and_settings(settings: dict[str, Any]) -> None:
    offline_envs.register(OWN, base="PenalizedModel-v0", max_episode_steps=3, **settings)
    longhand = {"max_episode_steps": 3, **settings}
    assert rewards_of(gym.make(OWN), 2) == rewards_of(gym.make("PenalizedModel-v0", **longhand), 2)
    own, base = gym.make_vec(OWN, 4), gym.make_vec("PenalizedModel-v0", 4, **longhand)
    assert vector_rewards_of(own) == vector_rewards_of(base)
    changed = gym.make(OWN, penalty_coef=100.0)
    assert rewards_of(changed, 2) != rewards_of(gym.make(OWN), 2)


def test_the_horizon_is_the_own_one_or_that_of_the_base(settings: dict[str, Any]) -> None:
    offline_envs.register(OWN, "PenalizedModel-v0", max_episode_steps=3, **settings)
    envs = gym.make_vec(OWN, 2)
    envs.reset(seed=0)
    ends = [envs.step(np.zeros((2, 1), np.float32))[3].tolist() for _ in range(3)]
    assert ends == [[False] * 2, [False] * 2, [True] * 2]
    gym.registry.pop(OWN)
    offline_envs.register(OWN, "PessimisticModel-v0", dataset=settings["dataset"], env_id="Pendulum-v1")
    assert gym.spec(OWN).kwargs["env_id"] == "Pendulum-v1"
    assert gym.spec(OWN).max_episode_steps == gym.spec("PessimisticModel-v0").max_episode_steps


def test_the_same_twice_is_one_and_another_is_refused(settings: dict[str, Any]) -> None:
    arrays = {"obs": np.zeros((2, 3))}
    offline_envs.register(OWN, "PenalizedModel-v0", dataset=arrays)
    offline_envs.register(OWN, "PenalizedModel-v0", dataset=arrays)
    for other in ({"dataset": {"obs": np.ones((2, 3))}}, settings):
        with pytest.raises(SettingsError, match="taken"):
            offline_envs.register(OWN, "PenalizedModel-v0", **other)
    with pytest.raises(SettingsError, match="taken"):
        offline_envs.register("CartPole-v1", "PenalizedModel-v0", **settings)


def test_a_base_that_is_not_learned_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"Unknown learned environment 'Hopper-v5'.*PenalizedModel-v0"):
        offline_envs.register(OWN, "Hopper-v5")


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_an_id_without_a_dataset_says_what_to_give(make: Any) -> None:
    with pytest.raises(SettingsTypeError, match=r'dataset="offline-envs/.*offline_envs\.register\('):
        make("PenalizedModel-v0")


def test_a_declared_id_works_in_a_process_that_has_only_the_id(
    tmp_path: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = declare(tmp_path, settings)
    (tmp_path / "pyproject.toml").write_text(f'[tool.offline-envs]\nids = "{path.name}"\n')
    below = tmp_path / "scripts"
    below.mkdir()
    program = f"import gymnasium; print(gymnasium.make('offline_envs:{OWN}').spec.kwargs['penalty_coef'])"
    done = subprocess.run([sys.executable, "-c", program], cwd=below, capture_output=True, text=True)
    assert done.stdout.strip() == "0.5", done.stderr


def test_the_variable_wins_over_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.offline-envs]\nids = "a.toml"\n')
    assert declared_file() == tmp_path / "a.toml"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "b.toml"))
    assert declared_file() == tmp_path / "b.toml"


@pytest.mark.parametrize("content", ["", "[tool]\n", "tool = 3\n", "no toml", '[tool.offline-envs]\nx = "y"'])
def test_projects_that_declare_nothing_are_left_alone(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "pyproject.toml").write_text(content)
    register_declared()
    assert declared_file() is None


def test_paths_are_relative_to_the_file(
    tmp_path: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.npz").touch()
    monkeypatch.setenv(VARIABLE, str(declare(tmp_path, {**settings, "dataset": "data.npz"})))
    register_declared()
    assert gym.spec(OWN).kwargs["dataset"] == str(tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[A", "cannot be read"),
        ("A-v0 = 3", "must be a table"),
        ("[A-v0]\ndataset = 'x'", "entry `base`"),
        ("[A-v0]\nbase = 'B-v0'", "Unknown learned environment 'B-v0'"),
    ],
)
def test_what_cannot_be_registered_is_refused_with_the_file(
    content: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "environments.toml"
    path.write_text(content)
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(SettingsError, match=words) as found:
        register_declared()
    assert str(path) in str(found.value)


def test_a_file_that_is_missing_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match=r"none\.toml cannot be read"):
        register_declared()


def test_an_id_may_have_no_limit(settings: dict[str, Any]) -> None:
    """−1 is Gymnasium's own way to ask for none, which its TimeLimit does not take from a spec."""
    for _ in range(2):  # a module may be imported twice
        offline_envs.register(OWN, "PenalizedModel-v0", max_episode_steps=-1, **settings)
    assert gym.spec(OWN).max_episode_steps is None
    assert len(rewards_of(gym.make(OWN), 7)) == 7
    envs: Any = gym.make_vec(OWN, 2).unwrapped
    assert envs.max_episode_steps == float("inf")


def test_settings_of_tensors_can_be_registered_twice() -> None:
    offline_envs.register(OWN, "PenalizedModel-v0", dataset={"obs": torch.zeros(2, 3)})
    with pytest.raises(SettingsError, match="taken"):
        offline_envs.register(OWN, "PenalizedModel-v0", dataset={"obs": torch.zeros(2, 3)})


def test_paths_in_lists_and_behind_prefixes_are_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv", "plant.toml"):
        (tmp_path / name).touch()
    given = {"dataset": ["csv:a.csv", "b.csv", "my/id-v0"], "columns": "plant.toml", "cache_dir": "later"}
    monkeypatch.setenv(VARIABLE, str(declare(tmp_path, given)))
    register_declared()
    found = gym.spec(OWN).kwargs
    assert found["dataset"] == [f"csv:{tmp_path / 'a.csv'}", str(tmp_path / "b.csv"), "my/id-v0"]
    assert found["columns"] == str(tmp_path / "plant.toml")
    assert found["cache_dir"] == str(tmp_path / "later")


def test_an_id_that_gymnasium_refuses_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "environments.toml"
    path.write_text('["My Pendulum"]\nbase = "PenalizedModel-v0"')
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(SettingsError, match=r"environments\.toml: 'My Pendulum'"):
        register_declared()
