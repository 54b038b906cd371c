from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorWrapper
from numpy.typing import NDArray
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.sb3 import ChoosesRolloutActions, SB3VecEnv, with_device_rollouts
from tests.sb3.device_toy import N, make, make_envs


class Shifted(VectorWrapper):
    pass


def test_environments_that_cannot_are_refused() -> None:
    device = with_device_rollouts(SAC)
    real = SyncVectorEnv([lambda: gym.make("Pendulum-v1")], autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(SettingsError, match=r"need SB3VecEnv.* unwrapped, got VecNormalize"):
        device("MlpPolicy", VecNormalize(SB3VecEnv(make_envs())), device="cpu")
    with pytest.raises(SettingsError, match="got DummyVecEnv"):
        device("MlpPolicy", DummyVecEnv([lambda: gym.make("Pendulum-v1")]), device="cpu")
    with pytest.raises(SettingsError, match="needs a learned environment"):
        make(device, real)
    with pytest.raises(SettingsError, match="got output='numpy'"):
        make(device, make_envs(output="numpy"))
    with pytest.raises(SettingsError, match="on_device = True, got Shifted"):
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
    with pytest.raises(
        SettingsError, match=r"own _sample_action, which Own overrides .* Define rollout_actions"
    ):
        make(with_device_rollouts(Own))


class Bold(SAC):
    """A user's agent that always takes the highest action, on the host and on the device."""

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        scaled = np.ones((n_envs, *self.action_space.shape), np.float32)  # type: ignore[misc]
        return self.policy.unscale_action(scaled), scaled

    def rollout_actions(self, obs: Tensor, learning_starts: int) -> Tensor:
        assert learning_starts == 7
        return torch.ones(len(obs), 1, device=obs.device)


class Bolder(Bold):
    """It explores in another way on the host only."""

    def _sample_action(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError


def test_an_agent_with_custom_exploration_also_explores_on_the_device() -> None:
    assert issubclass(Bold, ChoosesRolloutActions)
    plain, device = (
        make(kind, learning_starts=7).learn(8 * N) for kind in (Bold, with_device_rollouts(Bold))
    )
    for agent in (plain, device):
        buffer = agent.replay_buffer
        assert bool((buffer._storage()[buffer.real_size :][: 8 * N, 2] == 1).all())
    torch.testing.assert_close(plain.replay_buffer._storage(), device.replay_buffer._storage())


def test_custom_exploration_on_the_host_only_is_refused() -> None:
    """The inherited `rollout_actions` does not know of it."""
    with pytest.raises(SettingsError, match="own _sample_action, which Bolder overrides"):
        make(with_device_rollouts(Bolder))


def test_an_agent_that_stores_transitions_itself_is_refused() -> None:
    class Storing(Bold):
        def _store_transition(self, *args: Any, **kwargs: Any) -> None:
            raise AssertionError

    with pytest.raises(SettingsError, match="own _store_transition, which Storing overrides"):
        make(with_device_rollouts(Storing))


class Counted(VectorWrapper):
    """A user's wrapper that only counts steps."""

    on_device = True
    n_steps = 0

    def step(self, actions: Any) -> Any:
        self.n_steps += 1
        return super().step(actions)


class Scaled(Counted):
    """A subclass does not inherit the declaration, as it may do more."""


def test_a_custom_wrapper_is_accepted_if_it_declares_to_stay_on_the_device() -> None:
    envs = Counted(make_envs())
    agent = make(with_device_rollouts(SAC), envs)
    agent.learn(2 * envs.num_envs)
    assert envs.n_steps > 0
    with pytest.raises(SettingsError, match=r"accept the wrappers SameStep, .* on_device = True, got Scaled"):
        make(with_device_rollouts(SAC), Scaled(make_envs()))
