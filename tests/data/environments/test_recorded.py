"""Metadata are data: whoever wrote them must not choose the code that runs here."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec, WrapperSpec

from offline_envs.data import load_transitions
from offline_envs.data.environments.recorded import ARITHMETIC_WRAPPERS, believed, believed_or_inert
from offline_envs.errors import DatasetError
from tests.data.worlds import write_pendulum

Imported = Callable[[], bool]

WRAP = {"name": "Wrap", "entry_point": "stranger:Wrap", "kwargs": {}}
RESCALE = {
    "name": "RescaleAction",
    "entry_point": "gymnasium.wrappers:RescaleAction",
    "kwargs": {"min_action": -1.0, "max_action": 1.0},
}
FOREIGN: dict[str, tuple[dict[str, Any], str]] = {
    "entry point": (
        {"entry_point": "stranger:Env"},
        r"make Pendulum-v1 by 'stranger:Env', which is registered here as 'gymnasium.*PendulumEnv'",
    ),
    "unknown id": (
        {"id": "Stranger-v0", "entry_point": "stranger:Env"},
        r"'Stranger-v0', made by 'stranger:Env', is not registered here \(--import",
    ),
    "module in the id": ({"id": "stranger:Pendulum-v1"}, "would import the module 'stranger'"),
    "wrapper": ({"additional_wrappers": [WRAP]}, "wrap the environment in 'Wrap', made by 'stranger:Wrap'"),
    "wrapper called like a known one": (
        {"additional_wrappers": [{**RESCALE, "entry_point": "stranger:RescaleAction"}]},
        "in 'RescaleAction', made by 'stranger:RescaleAction'",
    ),
    "known wrapper called like another": (
        {"additional_wrappers": [{**RESCALE, "entry_point": "gymnasium.wrappers:RecordVideo"}]},
        "in 'RescaleAction', made by 'gymnasium.wrappers:RecordVideo'",
    ),
    "wrapper that writes files": (
        {"additional_wrappers": [{"name": "RecordVideo", "entry_point": "gymnasium.wrappers:RecordVideo"}]},
        "RecordVideo",
    ),
    "learned environment": (
        {"id": "LearnedModel-v0", "entry_point": None, "kwargs": {"dataset": "own-v0", "cache_dir": "/"}},
        "'LearnedModel-v0' is a learned one, which would fit and write a model",
    ),
    "keyword": ({"kwargs": {"make": "stranger:Env"}}, "keyword, 'make', names the code 'stranger:Env'"),
    "nested keyword": (
        {"kwargs": {"g": {"spec": [{"entry_point": "stranger:Env"}]}}},
        "keyword, 'g', names the code 'stranger:Env'",
    ),
    "keyword of a wrapper": (
        {"additional_wrappers": [{**RESCALE, "kwargs": {"min_action": "stranger:low"}}]},
        "keyword of 'RescaleAction', 'min_action', names the code 'stranger:low'",
    ),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_code_that_metadata_name_is_not_run(kind: str, stranger: Imported) -> None:
    """Rows load, nothing is imported, and the message says what would have run and how to go on."""
    changes, message = FOREIGN[kind]
    for wrapper in changes.get("additional_wrappers", ()):
        wrapper.setdefault("kwargs", {"video_folder": "videos"})
    write_pendulum("stranger-v0", **changes)
    data = load_transitions("stranger-v0")
    assert len(data) == 2
    with pytest.raises(DatasetError, match=f"'stranger-v0'.*{message}.*env_id= .*trust_dataset=True"):
        data.make_env()
    assert data.env_spec is not None
    with pytest.raises(gym.error.Error, match="entry_point is not specified"):
        gym.make(data.env_spec)
    assert not stranger()


def test_a_trusted_dataset_chooses_its_code(stranger: Imported) -> None:
    write_pendulum("friend-v0", id="Friend-v0", entry_point="stranger:Env", additional_wrappers=[WRAP])
    assert load_transitions("friend-v0").env_id == "Friend-v0"
    data = load_transitions("friend-v0", trust_dataset=True)
    assert not stranger()
    env = data.make_env()
    assert stranger()
    assert (type(env).__name__, type(env.unwrapped).__name__) == ("Wrap", "Env")
    with pytest.raises(DatasetError, match="trust_dataset"):
        load_transitions("friend-v0").make_env()


def test_the_user_names_the_environment_instead(stranger: Imported) -> None:
    write_pendulum("stranger-v0", entry_point="stranger:Env")
    data = load_transitions("stranger-v0", env_id="Pendulum-v1")
    assert type(data.make_env().unwrapped).__module__ == "gymnasium.envs.classic_control.pendulum"
    assert not stranger()


def test_a_package_that_is_imported_later_makes_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dataset is kept in memory; it must not have to be changed to be read again."""
    point = gym.spec("Pendulum-v1").entry_point
    write_pendulum("later-v0", id="Later-v0", entry_point=point)
    with pytest.raises(DatasetError, match="'Later-v0', made by"):
        load_transitions("later-v0").make_env()
    monkeypatch.setitem(gym.registry, "Later-v0", EnvSpec("Later-v0", point))
    assert load_transitions("later-v0").make_env().spec.id == "Later-v0"  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore:.*precision lowered by casting")
def test_plain_keywords_limits_and_arithmetic_wrappers_are_believed() -> None:
    """An older Gymnasium had the wrapper in another module."""
    old = {**RESCALE, "entry_point": "gymnasium.wrappers.rescale_action:RescaleAction"}
    write_pendulum("own-v0", kwargs={"g": 9.81}, max_episode_steps=7, additional_wrappers=[old])
    env = load_transitions("own-v0").make_env()
    assert env.unwrapped.g == 9.81  # type: ignore[attr-defined]
    assert env.spec is not None
    assert env.spec.max_episode_steps == 7
    assert env.action_space.high.tolist() == [1.0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", ["human", "rgb_array", 3])
def test_whether_it_is_drawn_is_not_the_metadatas_choice(mode: Any) -> None:
    """Opening a window where there is no screen aborts the process, in `train` after the fit."""
    write_pendulum("watched-v0", kwargs={"g": 9.81, "render_mode": mode})
    data = load_transitions("watched-v0")
    assert data.make_env().render_mode is None
    assert data.make_env(render_mode="rgb_array").render_mode == "rgb_array"
    assert data.make_env().unwrapped.g == 9.81  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text", ["stranger:Env-v0", "stranger:1-v0", "a.b:ns/Env-v0", "a-b:c", "cuda:x", "a:"]
)
def test_texts_that_name_code(text: str) -> None:
    """Gymnasium imports whatever is before the only colon, also if no such environment follows."""
    with pytest.raises(DatasetError, match=f"names the code '{text}'"):
        believed(EnvSpec("Pendulum-v1", kwargs={"of": [{"any": text}]}), "Data")
    with pytest.raises(DatasetError, match=f"names the code '{text}'"):
        believed(EnvSpec("Pendulum-v1", kwargs={"of": {text: 1}}), "Data")


@pytest.mark.parametrize("text", ["cuda:0", "https://a.b/c", "C:\\x.xml", "/a/b:c", "rgb_array", "a:b:c"])
def test_texts_that_name_none(text: str) -> None:
    assert believed(EnvSpec("Pendulum-v1", kwargs={"of": text}), "Data").kwargs == {"of": text}


def test_a_list_of_datasets_trusts_none_of_them(stranger: Imported) -> None:
    write_pendulum("own-v0")
    write_pendulum("stranger-v0", entry_point="stranger:Env")
    with pytest.raises(DatasetError, match="stranger:Env"):
        load_transitions(["stranger-v0", "own-v0"]).make_env()
    load_transitions(["own-v0", "stranger-v0"]).make_env()
    assert not stranger()
    load_transitions(["stranger-v0", "own-v0"], trust_dataset=True).make_env()
    assert stranger()


def test_arithmetic_wrappers_are_gymnasiums() -> None:
    missing = {name for name in ARITHMETIC_WRAPPERS if not hasattr(gym.wrappers, name)}
    assert missing <= {"RepeatAction"}  # Gymnasium 1.1 has none yet
    for name in ARITHMETIC_WRAPPERS - missing:
        assert issubclass(getattr(gym.wrappers, name), gym.Wrapper)


def test_the_registrys_own_wrappers_keywords_and_vector_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = WrapperSpec("Wrap", "my_package:Wrap", {"of": "my_package:thing"})
    own = EnvSpec("Own-v0", "my_package:Env", kwargs={"of": "my_package:it"}, additional_wrappers=(wrapper,))
    monkeypatch.setitem(gym.registry, "Own-v0", own)
    recorded = EnvSpec("Own-v0", "my_package:Env", kwargs={"of": "my_package:it", "device": "cuda:0"})
    recorded.additional_wrappers = (wrapper,)
    recorded.vector_entry_point = "os:system"
    spec = believed(recorded, "Data")
    assert spec.additional_wrappers == (wrapper,)
    assert spec.kwargs == recorded.kwargs
    assert spec.vector_entry_point is None
    assert believed_or_inert(recorded, "Data") == spec


def test_metadata_without_an_entry_point_name_the_registrys() -> None:
    spec = believed(EnvSpec("Pendulum-v1"), "Data")
    assert spec.entry_point == gym.spec("Pendulum-v1").entry_point
