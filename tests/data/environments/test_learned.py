"""Dreams: data recorded in a learned environment are of the real one that its dataset came from."""

import json
from dataclasses import replace
from typing import Any

import gymnasium as gym
import minari
import pytest
from gymnasium.envs.registration import EnvSpec

import offline_envs
from offline_envs.data import load_transitions
from offline_envs.data.environments.learned import real_spec
from offline_envs.errors import DatasetError
from tests.data.environments.test_recorded import RESCALE
from tests.data.worlds import describe_env, write_pendulum

DEMO = "offline-envs/inverteddoublependulum-replay-v0"


def learned(dataset: str, learned_id: str = "PenalizedModel-v0", **settings: Any) -> EnvSpec:
    """The specification that `gym.make(learned_id, dataset=dataset, ...)` has."""
    spec = gym.spec(learned_id)
    return replace(spec, kwargs={**spec.kwargs, "dataset": dataset, **settings})


def write_dream(dataset_id: str, spec: EnvSpec, **changes: Any) -> None:
    write_pendulum(dataset_id)
    describe_env(minari.load_dataset(dataset_id), **{**json.loads(spec.to_json()), **changes})


@pytest.mark.parametrize("env_id", ["LearnedModel-v0", "PenalizedModel-v0", "PessimisticModel-v0"])
def test_a_dataset_of_dreams_is_of_the_real_environment(env_id: str) -> None:
    write_pendulum("real-v0")
    write_dream("dreams-v0", learned("real-v0", env_id))
    data = load_transitions("dreams-v0")
    assert data.env_id == "Pendulum-v1"
    env = data.make_env()
    assert env.spec == gym.make("Pendulum-v1").spec
    assert "Pendulum" in type(env.unwrapped).__name__


def test_dreams_of_dreams_lead_to_the_real_environment() -> None:
    write_pendulum("real-v0")
    write_dream("dreams-v0", learned("real-v0"))
    write_dream("deep-v0", learned("dreams-v0"))
    assert load_transitions("deep-v0").env_id == "Pendulum-v1"


def test_the_embedded_dataset_names_its_environment() -> None:
    assert real_spec(learned(DEMO)).id == "InvertedDoublePendulum-v5"


def test_a_named_environment_or_task_comes_before_the_datasets() -> None:
    assert real_spec(learned(DEMO, env_id="Pendulum-v1")).id == "Pendulum-v1"
    assert real_spec(learned(DEMO, task="halfcheetah-jump")).id == "HalfCheetahJump-v0"


def test_the_settings_of_a_task_are_its_environments() -> None:
    spec = real_spec(learned(DEMO, task="ant-angle: degrees=45, survive_bonus=1"))
    assert (spec.id, spec.kwargs["degrees"], spec.kwargs["survive_bonus"]) == ("AntAngle-v0", 45, 1)
    assert "degrees" not in gym.spec("AntAngle-v0").kwargs


def test_an_id_of_the_users_is_followed() -> None:
    offline_envs.register("DreamtPendulum-v0", "PenalizedModel-v0", dataset=DEMO)
    try:
        assert real_spec(gym.spec("DreamtPendulum-v0")).id == "InvertedDoublePendulum-v5"
    finally:
        gym.registry.pop("DreamtPendulum-v0")


@pytest.mark.filterwarnings("ignore:.*precision lowered by casting")  # RescaleAction, about its own bounds
def test_wrappers_of_both_are_kept_from_the_inside_out() -> None:
    """Actions that the model knows as rescaled are so in the real environment."""
    clip = {"name": "ClipReward", "entry_point": "gymnasium.wrappers:ClipReward", "kwargs": {"max_reward": 1}}
    write_pendulum("real-v0", additional_wrappers=[RESCALE])
    write_dream("dreams-v0", learned("real-v0"), additional_wrappers=[clip])
    data = load_transitions("dreams-v0")
    assert data.env_spec is not None
    assert [wrapper.name for wrapper in data.env_spec.additional_wrappers] == ["RescaleAction", "ClipReward"]
    assert data.make_env().action_space.high.tolist() == [1.0]  # type: ignore[attr-defined]  # Pendulum's is 2


@pytest.mark.parametrize(
    "settings",
    [
        {"dataset": "absent/none-v0"},
        {"dataset": "data.npz"},
        {"dataset": DEMO, "history": 3},
        {"dataset": DEMO, "env_id": "stranger:Env-v0"},
        {"dataset": DEMO, "task": "ant-angle:degrees=wide"},
        {"dataset": DEMO, "task": "no-task:degrees=45"},
        {"dataset": "dreams-v0"},
    ],
    ids=lambda settings: list(settings.items())[-1],
)
def test_what_cannot_be_told_remains_a_learned_environment(settings: dict[str, Any]) -> None:
    """No import, no download, no endless search of a dataset that names itself."""
    write_dream("dreams-v0", learned(**settings))
    data = load_transitions("dreams-v0")
    assert data.env_id == "PenalizedModel-v0"
    with pytest.raises(DatasetError, match=r"is a learned one.*env_id="):
        data.make_env()


def test_metadata_that_cannot_be_read_name_no_environment(minari_folder: Any) -> None:
    broken = minari_folder / "broken-v0" / "data" / "metadata.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    assert real_spec(learned("broken-v0")).id == "PenalizedModel-v0"


def test_other_environments_are_left_alone() -> None:
    spec = gym.spec("Pendulum-v1")
    assert real_spec(spec) == spec
