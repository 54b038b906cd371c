"""The wrappers that may be between an agent and the model that an adversary changes."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.wrappers import vector
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecCheckNan,
    VecEnvWrapper,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
)

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.errors import SettingsError
from offline_envs.sb3 import SB3VecEnv
from offline_envs.sb3.callbacks.adversarial_layers import adversarial_env_of
from offline_envs.wrappers import UncertaintyPenalty
from offline_envs.wrappers.vector import UncertaintyPenalty as VectorUncertaintyPenalty
from tests.adversary.toy import fitted, two_states

DATA = two_states(400)


@pytest.fixture(scope="module")
def model() -> EnsembleDynamics:
    return fitted(DATA, EnsembleSettings(n_members=3, n_elites=2, hidden=(8,)))


def single(model: EnsembleDynamics, env_id: str = "AdversarialModel-v0") -> gym.Env[Any, Any]:
    return gym.make(env_id, dataset=DATA, model=model, termination="never", max_episode_steps=9)


def batch(model: EnsembleDynamics, env_id: str = "AdversarialModel-v0") -> VectorEnv[Any, Any, Any]:
    options: Any = {"model": model, "termination": "never", "autoreset_mode": "SameStep"}
    return gym.make_vec(env_id, num_envs=2, dataset=DATA, **options)


def test_the_model_is_found_under_wrappers_that_change_nothing(model: EnsembleDynamics) -> None:
    env, envs = single(model), batch(model)
    one = DummyVecEnv([lambda: wrappers.RecordEpisodeStatistics(env)])
    for wrapped in (DummyVecEnv([lambda: Monitor(env)]), VecMonitor(one)):
        assert adversarial_env_of(wrapped) is env.unwrapped
    many = SB3VecEnv(vector.RecordEpisodeStatistics(envs))
    for around in (many, VecCheckNan(many)):
        assert adversarial_env_of(around) is envs.unwrapped


CHANGING = {
    "RescaleAction": lambda env: wrappers.RescaleAction(env, np.float32(-5), np.float32(5)),
    "TransformReward": lambda env: wrappers.TransformReward(env, lambda reward: 10 * float(reward)),
    "NormalizeReward": wrappers.NormalizeReward,
    "NormalizeObservation": wrappers.NormalizeObservation,
    "StickyAction": lambda env: wrappers.StickyAction(env, 0.5),
    "UncertaintyPenalty": lambda env: UncertaintyPenalty(env, penalty_coef=1.0),
}
VECTOR_CHANGING = {
    "RescaleAction": lambda env: vector.RescaleAction(env, np.float32(-5), np.float32(5)),  # type: ignore[arg-type]
    "TransformReward": lambda env: vector.TransformReward(env, lambda rewards: 10 * rewards),
    "NormalizeReward": vector.NormalizeReward,
    "UncertaintyPenalty": lambda env: VectorUncertaintyPenalty(env, penalty_coef=1.0),
}
SB3_CHANGING: dict[str, Any] = {
    "VecNormalize": VecNormalize,
    "VecFrameStack": lambda envs: VecFrameStack(envs, 2),
}


@pytest.mark.parametrize("name", CHANGING)
def test_wrappers_that_may_change_values_are_refused(name: str, model: EnsembleDynamics) -> None:
    """Values in other units than the model's rewards give advantages that mean nothing."""
    wrapped = DummyVecEnv([lambda: Monitor(CHANGING[name](single(model)))])
    with pytest.raises(SettingsError, match=rf"but {name} is in between.*may stay: .*Monitor"):
        adversarial_env_of(wrapped)


@pytest.mark.parametrize("name", VECTOR_CHANGING)
def test_vector_wrappers_that_may_change_values_are_refused(name: str, model: EnsembleDynamics) -> None:
    with pytest.raises(SettingsError, match=f"but {name} is in between"):
        adversarial_env_of(SB3VecEnv(VECTOR_CHANGING[name](batch(model))))


@pytest.mark.parametrize("name", SB3_CHANGING)
def test_sb3_wrappers_that_may_change_values_are_refused(name: str, model: EnsembleDynamics) -> None:
    with pytest.raises(SettingsError, match=f"but {name} is in between"):
        adversarial_env_of(SB3_CHANGING[name](SB3VecEnv(batch(model))))


def test_other_bounds_are_refused_whatever_set_them(model: EnsembleDynamics) -> None:
    """The agent's actions are rescaled by its bounds, so the model would be asked about other actions."""
    env = Monitor(single(model))
    env.action_space = Box(-5.0, 5.0, (1,), np.float32)
    with pytest.raises(SettingsError, match=r"the model's Box\(-1\.0, 1\.0.*got Box\(-5\.0, 5\.0"):
        adversarial_env_of(DummyVecEnv([lambda: env]))


def test_other_environments_are_refused(model: EnsembleDynamics) -> None:
    for vec_env in (
        SB3VecEnv(batch(model, "LearnedModel-v0")),
        DummyVecEnv([lambda: gym.make("Pendulum-v1")]),
        DummyVecEnv([lambda: single(model)] * 2),
    ):
        with pytest.raises(SettingsError, match=r"needs AdversarialModel-v0, .*Use SB3VecEnv"):
            adversarial_env_of(vec_env)


class Counted(gym.Wrapper[Any, Any, Any, Any]):
    """A user's wrapper that declares to change nothing."""

    transparent = True


class CountedVector(VectorWrapper):
    """The same around a vector environment."""

    transparent = True


class CountedSB3(VecEnvWrapper):
    """The same for Stable-Baselines3."""

    transparent = True

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        return self.venv.step_wait()


class Doubled(Counted):
    """A subclass does not inherit the declaration, as it may change something."""


def test_a_custom_wrapper_is_accepted_if_it_declares_to_change_nothing(model: EnsembleDynamics) -> None:
    env, envs = single(model), batch(model)
    assert adversarial_env_of(DummyVecEnv([lambda: Counted(env)])) is env.unwrapped
    assert adversarial_env_of(CountedSB3(SB3VecEnv(CountedVector(envs)))) is envs.unwrapped
    with pytest.raises(SettingsError, match=r"Doubled is in between.* transparent = True"):
        adversarial_env_of(DummyVecEnv([lambda: Doubled(env)]))
