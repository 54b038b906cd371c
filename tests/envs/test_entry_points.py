from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from stable_baselines3.common.env_util import make_vec_env

from offline_envs.errors import SettingsError, SettingsTypeError
from offline_envs.registration import ENV_IDS
from tests.toy import toy_options


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_an_unknown_setting_is_refused_with_the_valid_ones(
    env_id: str, toy_dataset: Path, toy_model: Path
) -> None:
    options: dict[str, Any] = {"dataset": str(toy_dataset), "model": str(toy_model), "colour": 3}
    for make in (gym.make, gym.make_vec):
        with pytest.raises(
            SettingsError, match=r"got an unexpected keyword argument 'colour'\. Valid: .*device, .*start"
        ):
            make(env_id, **options)


def test_the_valid_settings_are_those_of_gym_make_or_of_gym_make_vec() -> None:
    with pytest.raises(SettingsError, match="max_episode_steps") as of_make:
        gym.make("LearnedModel-v0", **toy_options(horizon=5))
    with pytest.raises(SettingsError, match=r"max_episode_steps.*output") as of_make_vec:
        gym.make_vec("LearnedModel-v0", **toy_options(horizon=5))
    assert "output" not in str(of_make.value)
    assert "autoreset_mode" in str(of_make_vec.value)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_settings_of_vector_environments_are_refused_by_make(
    env_id: str, toy_dataset: Path, toy_model: Path
) -> None:
    with pytest.raises(SettingsError, match=r"autoreset_mode= is a setting of gym\.make_vec"):
        gym.make(env_id, dataset=str(toy_dataset), model=str(toy_model), autoreset_mode="NextStep")


def test_a_library_that_tries_a_keyword_reads_pythons_own_words() -> None:
    """TorchRL's GymEnv asks with `frameskip`, and asks again without it after a TypeError that says so."""
    with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'frameskip'\. Valid: cache_dir"):
        gym.make("LearnedModel-v0", **toy_options(frameskip=1))


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_data_that_no_simulator_can_be_set_to_are_not_drawn(make: Any) -> None:
    reason = "render_mode must be None: .*toy does not name its environment"
    with pytest.raises(SettingsTypeError, match=reason):
        make("LearnedModel-v0", **toy_options(render_mode="rgb_array"))
    assert make("LearnedModel-v0", **toy_options()).metadata["render_modes"] == []


@pytest.mark.filterwarnings("ignore:.*not in the possible render_modes")
@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_another_render_mode_is_refused_by_name(make: Any) -> None:
    with pytest.raises(SettingsTypeError, match="render_mode must be 'rgb_array' or None, got 'ansi'"):
        make("LearnedModel-v0", **toy_options(render_mode="ansi"))


def test_stable_baselines_asks_for_pictures_and_then_does_without() -> None:
    """Its `make_vec_env` asks for `rgb_array` first, and takes a TypeError for "not here"."""
    envs: Any = make_vec_env("LearnedModel-v0", 2, env_kwargs=toy_options())
    assert envs.reset().shape == (2, 2)


def test_a_film_of_an_environment_without_pictures_is_refused_by_gymnasium(tmp_path: Path) -> None:
    env = gym.make("LearnedModel-v0", **toy_options(render_mode=None))
    with pytest.raises(ValueError, match="Render mode is None, which is incompatible with RecordVideo"):
        gym.wrappers.RecordVideo(env, str(tmp_path))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_stacked_single_environments_take_no_settings_of_the_batched_one(mode: str) -> None:
    message = r"output= is a setting of gym\.make_vec.*vectorization_mode='sync'"
    with pytest.raises(SettingsError, match=message):
        gym.make_vec("LearnedModel-v0", 2, vectorization_mode=mode, **toy_options(output="torch"))
