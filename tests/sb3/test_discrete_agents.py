"""Stable-Baselines3's agents of discrete actions, unchanged, inside learned environments."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from sb3_contrib import QRDQN
from stable_baselines3 import DQN, PPO

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import Rollout, rollout
from offline_envs.errors import SettingsError
from offline_envs.policies import UniformChoices
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv, with_uniform_rollouts
from tests.discrete import choosing, chosen_options

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}
OBS_SPACE = Box(-np.inf, np.inf, (2,), np.float32)


def vec_env(space: Any, n: int = 4) -> SB3VecEnv:
    return SB3VecEnv(gym.make_vec("LearnedModel-v0", n, **chosen_options(space)))


@pytest.mark.parametrize("kind", [DQN, QRDQN])
@pytest.mark.parametrize("single", [True, False])
def test_value_learners_train_inside_unchanged(kind: Any, single: bool) -> None:
    env = gym.make("LearnedModel-v0", **chosen_options(Discrete(3))) if single else vec_env(Discrete(3))
    agent = kind("MlpPolicy", env, learning_starts=8, buffer_size=500, batch_size=8, **SMALL).learn(64)
    action, _ = agent.predict(np.zeros(2, np.float32), deterministic=True)
    assert action in Discrete(3)
    assert agent._n_updates > 0


@pytest.mark.parametrize("space", [Discrete(3), MultiDiscrete([2, 3])])
@pytest.mark.parametrize("single", [True, False])
def test_ppo_trains_inside_unchanged(space: Any, single: bool) -> None:
    env = gym.make("LearnedModel-v0", **chosen_options(space)) if single else vec_env(space)
    agent = PPO("MlpPolicy", env, n_steps=16, batch_size=16, **SMALL).learn(32)
    action, _ = agent.predict(np.zeros(2, np.float32))
    assert action in space


def test_dqn_learns_the_choice_that_pays() -> None:
    """The third choice pays 2, the others 0 and 1, and nothing else depends on it."""
    options: dict[str, Any] = {
        "learning_starts": 100,
        "learning_rate": 1e-2,
        "gamma": 0.5,
        "exploration_fraction": 1.0,
    }
    agent = DQN("MlpPolicy", vec_env(Discrete(3), 16), train_freq=1, **options, **SMALL).learn(4_000)
    chosen, _ = agent.predict(np.array([[1.0, 1.0], [30.0, 1.0]], np.float32), deterministic=True)
    assert chosen.tolist() == [2, 2]


@pytest.mark.parametrize("space", [Discrete(3), MultiDiscrete([2, 3])])
def test_rows_of_the_dataset_are_choices_as_sb3_stores_them(space: Any) -> None:
    data = choosing(space)
    space.seed(0)
    recorded = np.stack([np.asarray(space.sample()) for _ in range(60)]).reshape(60, -1)
    buffer = MixedReplayBuffer(8, OBS_SPACE, space, device="cpu", n_envs=2, dataset=data, real_ratio=1.0)
    stored = buffer.sample(500)
    times = stored.observations[:, 0].long()
    assert torch.equal(stored.actions, torch.as_tensor(recorded, dtype=torch.float32)[times])


def test_rollouts_are_stored_as_single_steps_are() -> None:
    space = MultiDiscrete([2, 3])
    envs = gym.make_vec("LearnedModel-v0", 2, **chosen_options(space))
    found = rollout(UniformChoices(space, torch.Generator().manual_seed(0)), 2, 3, within=envs, seed=0)
    settings: dict[str, Any] = {"device": "cpu", "n_envs": 2, "dataset": choosing(space)}
    at_once, by_steps = (MixedReplayBuffer(6, OBS_SPACE, space, **settings) for _ in range(2))
    at_once.add_rollout(found)
    spaces = envs.unwrapped.transitions.agent_spaces  # type: ignore[attr-defined]
    for t in range(3):
        step = Rollout(*(field[t] for field in found))
        action = spaces.agent_actions(step.action).numpy()
        done = (step.terminated | step.truncated).numpy()
        infos = [{"TimeLimit.truncated": bool(cut)} for cut in step.truncated & ~step.terminated]
        by_steps.add(step.obs.numpy(), step.next_obs.numpy(), action, step.reward.numpy(), done, infos)
    assert torch.equal(at_once._storage(), by_steps._storage())


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Discrete(2), "obs 2 and action 2; .* has obs 2 and action 3"),
        (MultiDiscrete([3]), r"must have the actions of the agent's environment, MultiDiscrete\(\[3\]\)"),
        (Discrete(3, start=1), "counts discrete actions from 0"),
        (Box(0, 1, (3,)), r"must have the actions of the agent's environment, Box"),
    ],
)
def test_a_buffer_of_other_actions_is_refused(space: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        MixedReplayBuffer(8, OBS_SPACE, space, device="cpu", dataset=choosing(Discrete(3))).sample(1)


def test_dqn_learns_from_model_and_dataset_mixed() -> None:
    replay = {
        "replay_buffer_class": MixedReplayBuffer,
        "replay_buffer_kwargs": {"dataset": choosing(Discrete(3))},
    }
    options: dict[str, Any] = {"learning_starts": 0, "buffer_size": 100, "batch_size": 40, **replay, **SMALL}
    agent = DQN("MlpPolicy", vec_env(Discrete(3)), train_freq=2, **options).learn(40)
    buffer = agent.replay_buffer
    assert isinstance(buffer, MixedReplayBuffer)
    assert buffer.model_size == 40
    assert {*buffer.sample(400).actions.flatten().tolist()} == {0.0, 1.0, 2.0}


def test_uniform_rollouts_take_every_choice() -> None:
    agent = with_uniform_rollouts(DQN)("MlpPolicy", vec_env(Discrete(3)), learning_starts=0, **SMALL)
    agent.learn(400)
    assert agent.replay_buffer is not None
    counts = np.bincount(agent.replay_buffer.actions[:100].flatten().astype(int))
    assert counts.tolist() == pytest.approx([133, 133, 133], abs=40)
