"""An agent moves from the learned environment into the real one, and back."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import SAC
from stable_baselines3.common.env_util import make_vec_env

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import check_vector_env
from offline_envs.errors import SettingsError
from offline_envs.sb3 import SB3VecEnv
from offline_envs.wrappers import MatchSpaces, vector
from tests.toy import toy_options
from tests.wrappers.test_halt_on_unknown import Counting


class Real(gym.Env[Any, Any]):
    """A real environment of the toy's dimensions: float64, observations with bounds; it keeps its actions."""

    observation_space = Box(-9.0, 9.0, (2,), np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float64)

    def __init__(self) -> None:
        self.actions: list[Any] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.array([0.1, 0.2]), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        return np.array([0.3, 0.4]), 1.5, False, len(self.actions) % 5 == 0, {"x": 1}


def learned(**changes: Any) -> Any:
    return gym.make_vec("LearnedModel-v0", 2, autoreset_mode="SameStep", **toy_options(**changes))


def sac(env: Any) -> SAC:
    options: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "learning_starts": 0, "batch_size": 8}
    return SAC("MlpPolicy", env, device="cpu", seed=0, **options)


def test_only_types_change() -> None:
    real = Real()
    env = MatchSpaces(real, to=learned())
    assert env.observation_space == Box(-np.inf, np.inf, (2,), np.float32)
    assert env.action_space == Box(-1.0, 1.0, (1,), np.float32)
    obs, _ = env.reset(seed=0)
    assert obs.dtype == np.float32
    assert obs.tolist() == [np.float32(0.1), np.float32(0.2)]
    obs, *outcome = env.step(np.array([0.5], np.float32))
    assert obs.tolist() == [np.float32(0.3), np.float32(0.4)]
    assert outcome == [1.5, False, False, {"x": 1}]
    assert real.actions[0].dtype == np.float64
    assert real.actions[0].tolist() == [0.5]


def test_an_agent_trained_in_the_model_is_fine_tuned_in_the_real_environment(tmp_path: Path) -> None:
    envs = learned()
    sac(SB3VecEnv(envs)).learn(8).save(tmp_path / "agent")
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        SAC.load(tmp_path / "agent", env=Real(), device="cpu")
    real = Real()
    agent = SAC.load(tmp_path / "agent", env=MatchSpaces(real, to=envs), device="cpu")
    before = [p.clone() for p in agent.actor.parameters()]
    agent.learn(10, reset_num_timesteps=False)
    assert len(real.actions) == 10
    assert agent.num_timesteps == 18
    assert any(not torch.equal(p, old) for p, old in zip(agent.actor.parameters(), before, strict=True))
    again = make_vec_env(lambda: MatchSpaces(Real(), to=agent), 1)
    agent.set_env(again)


@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_an_agent_of_the_real_environment_goes_on_in_the_model(tmp_path: Path, output: str) -> None:
    sac(Real()).learn(4).save(tmp_path / "agent")
    envs = vector.MatchSpaces(learned(output=output, max_episode_steps=2), to=Real())
    env = SB3VecEnv(envs)
    agent = SAC.load(tmp_path / "agent", env=env, device="cpu").learn(8, reset_num_timesteps=False)
    assert agent.num_timesteps == 4 + 8
    env.reset()
    env.step(np.zeros((2, 1)))
    last: Any = env.step(np.zeros((2, 1)))
    obs, _, dones, infos = last
    assert dones.all()
    assert (obs.dtype, infos[0]["terminal_observation"].dtype) == (np.float64, np.float64)


def test_final_observations_of_gymnasiums_own_vectors_change_too() -> None:
    """They are objects, one a row, and None where no episode ended."""

    def row(steps: int) -> gym.Env[Any, Any]:
        return gym.wrappers.TimeLimit(Counting(), steps)

    plain = SyncVectorEnv([lambda: row(1), lambda: row(2)], autoreset_mode=AutoresetMode.SAME_STEP)
    envs = vector.MatchSpaces(plain, to=Real())
    envs.reset(seed=0)
    final = envs.step(np.zeros((2, 1)))[-1]["final_obs"]
    assert final.tolist() == [pytest.approx([1.0, 0.0]), None]
    assert final[0].dtype == np.float64
    check_vector_env(envs, n_steps=6, stochastic=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observation_space": Box(-1, 1, (3,))}, "observation_space must have the same shape in both"),
        ({"action_space": Box(-2.0, 1.0, (1,))}, r"same bounds in both, got low \[-2.0\] and \[-1.0\]"),
        ({"action_space": Discrete(2)}, r"whose action_space is a Box, got Discrete\(2\)"),
    ],
)
def test_what_a_cast_cannot_match_is_refused(changes: dict[str, Any], message: str) -> None:
    real = Real()
    vars(real).update(changes)
    with pytest.raises(SettingsError, match=message):
        MatchSpaces(real, to=learned())
    with pytest.raises(SettingsError, match="whose observation_space is a Box, got None of 3"):
        MatchSpaces(Real(), to=3)
