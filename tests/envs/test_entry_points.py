from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from offline_envs.errors import SettingsError
from offline_envs.registration import ENV_IDS


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_an_unknown_setting_is_refused_with_the_valid_ones(
    env_id: str, toy_dataset: Path, toy_model: Path
) -> None:
    options: dict[str, Any] = {"dataset": str(toy_dataset), "model": str(toy_model), "colour": 3}
    for make in (gym.make, gym.make_vec):
        with pytest.raises(SettingsError, match=r"Unknown setting 'colour'\. Valid: .*device, .*start"):
            make(env_id, **options)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_settings_of_vector_environments_are_refused_by_make(
    env_id: str, toy_dataset: Path, toy_model: Path
) -> None:
    with pytest.raises(SettingsError, match=r"autoreset_mode= is a setting of gym\.make_vec"):
        gym.make(env_id, dataset=str(toy_dataset), model=str(toy_model), autoreset_mode="NextStep")
