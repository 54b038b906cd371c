from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorWrapper
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from offline_envs.errors import SettingsError
from offline_envs.sb3 import SB3VecEnv, with_device_rollouts
from tests.sb3.device_toy import make, make_envs


class Shifted(VectorWrapper):
    pass


def test_environments_that_cannot_are_refused() -> None:
    device = with_device_rollouts(SAC)
    real = SyncVectorEnv([lambda: gym.make("Pendulum-v1")], autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(SettingsError, match=r"need SB3VecEnv.* as it is, got VecNormalize"):
        device("MlpPolicy", VecNormalize(SB3VecEnv(make_envs())), device="cpu")
    with pytest.raises(SettingsError, match="got DummyVecEnv"):
        device("MlpPolicy", DummyVecEnv([lambda: gym.make("Pendulum-v1")]), device="cpu")
    with pytest.raises(SettingsError, match="needs a learned environment"):
        make(device, real)
    with pytest.raises(SettingsError, match="got output='numpy'"):
        make(device, make_envs(output="numpy"))
    with pytest.raises(SettingsError, match="do not know the wrapper Shifted"):
        make(device, Shifted(make_envs()))
    agent = make(device)
    agent.set_env(SB3VecEnv(make_envs(output="numpy")))
    with pytest.raises(SettingsError, match="got output='numpy'"):
        agent.learn(1)
    real.close()


def test_agents_that_cannot_are_refused() -> None:
    class Own(SAC):
        def _sample_action(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError

    with pytest.raises(SettingsError, match=r"learns from a replay buffer, such as SAC.* got PPO"):
        with_device_rollouts(PPO)
    device = with_device_rollouts(SAC)
    with pytest.raises(SettingsError, match="need replay_buffer_class=MixedReplayBuffer, got ReplayBuffer"):
        make(device, replay_buffer_class=ReplayBuffer, replay_buffer_kwargs={})
    with pytest.raises(SettingsError, match="need independent noise, got use_sde=True"):
        make(device, use_sde=True)
    with pytest.raises(SettingsError, match="need action_noise=None, got Normal"):
        make(with_device_rollouts(TD3), action_noise=NormalActionNoise(np.zeros(1), np.ones(1)))
    with pytest.raises(SettingsError, match="train_freq in steps, got 2 episodes"):
        make(device, make_envs(num_envs=1), train_freq=(2, "episode"))
    with pytest.raises(SettingsError, match="SB3's own _sample_action, which Own overrides"):
        make(with_device_rollouts(Own))


class Counted(VectorWrapper):
    """A user's wrapper that only counts steps."""

    on_device = True
    n_steps = 0

    def step(self, actions: Any) -> Any:
        self.n_steps += 1
        return super().step(actions)


class Scaled(Counted):
    """What a class says of itself does not hold for a subclass, which may do more."""


def test_a_wrapper_may_say_of_itself_that_it_stays_on_the_device() -> None:
    envs = Counted(make_envs())
    agent = make(with_device_rollouts(SAC), envs)
    agent.learn(2 * envs.num_envs)
    assert envs.n_steps > 0
    with pytest.raises(SettingsError, match=r"do not know the wrapper Scaled, only .* on_device = True"):
        make(with_device_rollouts(SAC), Scaled(make_envs()))
