from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.dynamics import EnsembleDynamics
from offline_envs.envs import LearnedEnv, LearnedVectorEnv
from offline_envs.mdp.guard import Guard
from tests.toy import WORST_REWARD, counting_ensemble, toy_ensemble, toy_options, toy_transitions

TINY = ((1e-6,) * 3,) * 3
NAN, INF = float("nan"), float("inf")
BAD_MEANS = {
    "nan obs": (0.0, NAN, 0.0),
    "nan reward": (NAN, 0.0, 0.0),
    "infinite obs": (0.0, 0.0, INF),
    "infinite reward": (-INF, 0.0, 0.0),
    "far obs": (0.0, 0.0, 1000.0),
    "far reward": (-1000.0, 0.0, 0.0),
}


def learned(env: Any) -> LearnedEnv | LearnedVectorEnv:
    found = env.unwrapped
    assert isinstance(found, LearnedEnv | LearnedVectorEnv)
    return found


def broken_ensemble(name: str) -> EnsembleDynamics:
    return toy_ensemble((BAD_MEANS[name],) * 3, TINY)


def test_bounds_are_ten_ranges_beyond_the_data() -> None:
    guard = Guard.from_transitions(toy_transitions())
    # reward in [−4, 0], obs₀ and next_obs₀ in [0, 3], obs₁ in [0, 2]
    assert guard.low.tolist() == [-44.0, -30.0, -20.0]
    assert guard.high.tolist() == [40.0, 33.0, 22.0]
    assert guard.worst_reward.item() == WORST_REWARD


@pytest.mark.parametrize("env_id", ["LearnedModel-v0", "PenalizedModel-v0"])
@pytest.mark.parametrize("name", BAD_MEANS)
def test_single_env_ends_where_it_was_with_the_lowest_reward(env_id: str, name: str) -> None:
    env = gym.make(env_id, **toy_options(model=broken_ensemble(name)))
    start, _ = env.reset(seed=0)
    obs, reward, terminated, truncated, info = env.step(np.zeros(1, np.float32))
    assert obs.tolist() == start.tolist()
    assert (reward, terminated, truncated) == (WORST_REWARD, True, False)
    assert info == {"raw_reward": WORST_REWARD, "penalty": 0.0, "exploded": True}
    assert learned(env).n_exploded == 1


@pytest.mark.parametrize("env_id", ["LearnedModel-v0", "PenalizedModel-v0"])
@pytest.mark.parametrize("name", BAD_MEANS)
def test_vector_env_ends_where_it_was_with_the_lowest_reward(env_id: str, name: str) -> None:
    options = toy_options(model=broken_ensemble(name), autoreset_mode="SameStep")
    envs = gym.make_vec(env_id, num_envs=3, step_infos=True, **options)
    start, _ = envs.reset(seed=0)
    _, rewards, terminations, truncations, infos = envs.step(np.zeros((3, 1), np.float32))
    assert infos["final_obs"].tolist() == start.tolist()
    assert rewards.tolist() == infos["raw_reward"].tolist() == [WORST_REWARD] * 3
    assert infos["penalty"].tolist() == [0.0] * 3
    assert terminations.all()
    assert infos["exploded"].all()
    assert not truncations.any()
    assert learned(envs).n_exploded == 3


def test_only_the_row_that_explodes_ends() -> None:
    options = toy_options(model=counting_ensemble(), autoreset_mode="SameStep")
    envs = gym.make_vec("LearnedModel-v0", num_envs=2, **options)
    envs.reset(seed=0, options={"obs": np.array([[32.9, 0.0], [0.0, 0.0]])})
    _, rewards, terminations, _, infos = envs.step(np.zeros((2, 1), np.float32))
    assert terminations.tolist() == [True, False]
    assert rewards == pytest.approx([WORST_REWARD, 1.0], abs=1e-4)
    assert infos["final_obs"][:, 0] == pytest.approx([32.9, 1.0], abs=1e-4)


def test_steps_after_the_end_of_an_episode_are_not_counted() -> None:
    """A next-step environment computes a row that it restarts; its explosion is nobody's experience."""
    options = toy_options(model=broken_ensemble("nan obs"), autoreset_mode="NextStep")
    envs = gym.make_vec("LearnedModel-v0", num_envs=2, **options)
    envs.reset(seed=0)
    for _ in range(3):  # explode, restart, explode
        envs.step(np.zeros((2, 1), np.float32))
    assert learned(envs).n_exploded == 4


@pytest.mark.filterwarnings("ignore:.*imagined steps left the data")
def test_an_episode_never_carries_a_number_that_is_not_finite() -> None:
    ensemble = toy_ensemble(stds=((1.0, 1e4, 1e4),) * 3)
    options = toy_options(model=ensemble, output="torch", autoreset_mode="SameStep")
    envs = gym.make_vec("PenalizedModel-v0", num_envs=50, **options)
    envs.reset(seed=0)
    for _ in range(20):
        obs, rewards, _, _, infos = envs.step(torch.zeros(50, 1))
        assert obs.isfinite().all()
        assert rewards.isfinite().all()
        assert infos["final_obs"].isfinite().all()
    assert learned(envs).n_exploded > 0
