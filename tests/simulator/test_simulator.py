from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.data import load_transitions
from offline_envs.errors import SettingsError
from offline_envs.simulator import LAYOUTS, Simulator
from tests.runs.tiny import DEMO
from tests.tasks.conftest import MakeEnv, make_env
from tests.toy import toy_transitions

__all__ = ["make_env"]

HIDDEN = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
WITHOUT = {f"include_{name}_in_observation": False for name in HIDDEN}
KWARGS: dict[str, dict[str, Any]] = {
    "Ant-v5": {"include_cfrc_ext_in_observation": False},
    "Humanoid-v5": WITHOUT,
    "HumanoidStandup-v5": WITHOUT,
}
"""What leaves out of observations what does not tell the state."""

SHOWS_MORE = ("Humanoid-v4", "HumanoidStandup-v4")  # always
LAGS = ("Ant-v5", "Ant-v4", "AntAngle-v0", "Humanoid-v5", "Humanoid-v4")
"""Their first reward reads a body position that lags by a sub-step."""


@pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")
@pytest.mark.parametrize("env_id", LAYOUTS)
def test_a_restored_simulator_continues_like_the_original(env_id: str, make_env: MakeEnv) -> None:
    """Else every error of a model would be measured against another world than the data's."""
    layout, kwargs = LAYOUTS[env_id], KWARGS.get(env_id, {})
    original: Any = make_env(env_id, **kwargs).unwrapped
    restored: Any = make_env(env_id, **kwargs).unwrapped
    restored.reset(seed=9)
    simulator = Simulator(restored, layout)
    original.action_space.seed(0)
    compared = 0
    single = original.observation_space.dtype == np.float32  # observations are rounded, states are not
    precision, step = (1e-6, 1e-5) if single else (1e-12, 1e-5 if "Humanoid" in env_id else 1e-9)
    for episode in range(5):
        obs, _ = original.reset(seed=episode)
        for _ in range(40):
            action = original.action_space.sample()
            next_obs, reward, terminated, _, _ = original.step(action)
            if layout.is_exact(obs):
                shown = slice(layout.obs_dim) if env_id in SHOWS_MORE else slice(None)
                np.testing.assert_allclose(simulator.restore(obs)[shown], obs[shown], atol=precision)
                again = restored.step(action)
                np.testing.assert_allclose(again[0][: layout.obs_dim], next_obs[: layout.obs_dim], atol=step)
                if env_id not in LAGS:
                    assert again[1] == pytest.approx(reward, abs=1e-5)
                assert again[2] == terminated
                compared += 1
            obs = next_obs
            if terminated:
                break
    assert compared > 25


def test_an_episode_ends_with_the_mdp_or_the_horizon() -> None:
    simulator = Simulator.of(load_transitions(DEMO))
    upright = np.array([0, 0, 0, 1, 1, 0, 0, 0, 0], dtype=np.float32)
    push = np.ones(1, dtype=np.float32)
    obs, actions, rewards = simulator.episode(upright, lambda t, o: push, 3)
    assert (obs.shape, actions.shape, rewards.shape) == ((4, 9), (3, 1), (3,))
    obs, _, rewards = simulator.episode(upright, lambda t, o: push, 1000)
    assert len(rewards) < 50
    height = 0.6 * (
        obs[-1, 3] + np.cos(np.arctan2(obs[-1, 1], obs[-1, 3]) + np.arctan2(obs[-1, 2], obs[-1, 4]))
    )
    assert height < 1.05
    simulator.close()


@pytest.mark.parametrize("height", [0.0, 0.5])
def test_a_restored_task_gives_its_own_reward(make_env: MakeEnv, height: float) -> None:
    """A forecast of returns is compared with these rewards."""
    env: Any = make_env("HalfCheetahJump-v0", jump_weight=100.0).unwrapped
    env.reset(seed=0)
    simulator = Simulator(env, LAYOUTS["HalfCheetahJump-v0"])
    start = np.zeros(17)
    start[[0, 8]] = height, 1.0
    obs, _, rewards = simulator.episode(start, lambda t, o: np.full(6, 0.5, np.float32), 3)
    effort = 6 * 0.1 * 0.5**2
    by_hand = env.data.qpos[0] / env.dt - 3 * effort + 100.0 * obs[1:, 0].sum()  # x starts at 0
    assert rewards.sum() == pytest.approx(by_hand, abs=1e-3)
    assert env.data.qpos[0] / env.dt < 3 * 3.0


def test_what_cannot_be_restored_is_refused_with_the_reason() -> None:
    with pytest.raises(SettingsError, match=r"toy does not name its environment"):
        Simulator.of(toy_transitions())
    demo = load_transitions(DEMO)
    hopper = replace(demo, env_spec=gym.spec("Hopper-v5"))
    with pytest.raises(SettingsError, match=r"11 default observation dimensions of Hopper-v5.*has 9"):
        Simulator.of(hopper)


def test_the_simulator_repeats_the_dataset() -> None:
    demo = load_transitions(DEMO)
    simulator = Simulator.of(demo)
    rows = torch.arange(0, 20_000, 500)
    rows = rows[torch.from_numpy(simulator.layout.is_exact(demo.obs[rows].numpy()))]
    assert len(rows) > 20
    for row in rows.tolist():
        action = demo.actions[row].numpy()
        obs, _, rewards = simulator.episode(demo.obs[row].numpy(), lambda t, o, a=action: a, 1)  # type: ignore[misc]
        np.testing.assert_allclose(obs[1], demo.next_obs[row], atol=1e-4)
        assert rewards[0] == pytest.approx(float(demo.rewards[row]), abs=1e-4)
    simulator.close()
