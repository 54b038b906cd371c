"""From an id of a Minari dataset to an environment, with everything at its default but the sizes."""

from typing import Any

import gymnasium as gym
import minari
import numpy as np
import pytest
from minari.data_collector import EpisodeBuffer

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import LearnedEnv

DATASET = "test/invertedpendulum-v0"
SIZES: dict[str, Any] = {
    "ensemble": {"n_members": 3, "n_elites": 2, "hidden": [8]},
    "fit": {"max_epochs": 1},
    "progress": False,
}


@pytest.fixture
def dataset(own_folders: None) -> str:
    """Fifteen short episodes of a pendulum that is left to itself, in the test's own Minari folder."""
    env = gym.make("InvertedPendulum-v5")
    episodes = []
    for seed in range(15):
        observations, terminated = [env.reset(seed=seed)[0]], False
        rewards, terminations = [], []
        while not terminated:
            obs, reward, terminated, _, _ = env.step(np.zeros(1, np.float32))
            observations.append(obs)
            rewards.append(reward)
            terminations.append(terminated)
        n = len(rewards)
        episodes.append(
            EpisodeBuffer(
                observations=np.array(observations),  # type: ignore[arg-type]
                actions=np.zeros((n, 1), np.float32),  # type: ignore[arg-type]
                rewards=np.array(rewards),  # type: ignore[arg-type]
                terminations=np.array(terminations),  # type: ignore[arg-type]
                truncations=np.zeros(n, bool),  # type: ignore[arg-type]  # Minari says lists
            )
        )
    minari.create_dataset_from_buffers(DATASET, episodes, env=env)
    return DATASET


@pytest.mark.filterwarnings("ignore:.*is set to None:UserWarning")  # Minari asks who wrote the data
def test_one_line_makes_an_environment_that_ends_as_the_real_one_does(dataset: str) -> None:
    env = gym.make("PenalizedModel-v0", dataset=dataset, **SIZES)
    learned = env.unwrapped
    assert isinstance(learned, LearnedEnv)
    assert learned.transitions.env_id == "InvertedPendulum-v5"
    assert learned.action_space == gym.make("InvertedPendulum-v5").action_space
    env.reset(seed=0, options={"obs": [0.0, 3.0, 0.0, 0.0]})  # far beyond the angle of 0.2
    assert env.step(np.zeros(1, np.float32))[2]
    again = gym.make("LearnedModel-v0", dataset=dataset, **SIZES).unwrapped
    assert isinstance(again, LearnedEnv)
    assert again.ensemble is learned.ensemble
    assert again.transitions is learned.transitions
