"""Learned environments of Dict observations, and of observations with bounds."""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Text
from gymnasium.utils.env_checker import check_env
from sb3_contrib import TRPO
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions, load_transitions
from offline_envs.envs import check_vector_env, rollout
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.policies import as_policy
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv
from tests.data.worlds import episode, write_minari
from tests.toy import toy_options, toy_transitions

NESTED = Dict({"speed": Box(-np.inf, np.inf, (1,)), "place": Box(-np.inf, np.inf, (1,))})
"""Of which place comes first: the toy's obs₀."""

BOUNDED = Box(np.array([0.0, -np.inf]), np.array([3.5, 2.0]), dtype=np.float64)


def forward(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """A known model: obs₀ + 1, obs₁ − 1, and the reward obs₀."""
    return obs + torch.tensor([1.0, -1.0]), obs[:, 0]


def options(space: Any, **changes: Any) -> dict[str, Any]:
    toy = toy_transitions()
    data = Transitions(**{**vars_of(toy), "obs_space": space})
    return toy_options(dataset=data, model=forward, **changes)


def vars_of(data: Transitions) -> dict[str, Any]:
    return {name: getattr(data, name) for name in data.__dataclass_fields__}


@pytest.mark.filterwarnings("ignore:.*Box observation space m:UserWarning")  # those without bounds
@pytest.mark.filterwarnings("ignore:.*A Box observation:UserWarning")
@pytest.mark.parametrize("space", [NESTED, BOUNDED])
def test_both_checkers_agree(space: Any) -> None:
    env = gym.make("LearnedModel-v0", **options(space))
    assert type(env.observation_space) is type(space)
    check_env(env.unwrapped, skip_render_check=True)
    check_env_for_sb3(gym.make("LearnedModel-v0", **options(space)), warn=False)
    envs = gym.make_vec("LearnedModel-v0", 3, **options(space))
    assert envs.single_observation_space == env.observation_space
    check_vector_env(envs)


def test_dict_observations_are_given_back_by_name() -> None:
    env = gym.make("LearnedModel-v0", **options(NESTED))
    start = {"place": np.array([2.0], np.float32), "speed": np.array([7.0], np.float32)}
    obs, _ = env.reset(seed=0, options={"obs": start})
    assert {name: part.tolist() for name, part in obs.items()} == {"place": [2.0], "speed": [7.0]}
    obs, reward, *_ = env.step(np.zeros(1, np.float32))
    assert (obs["place"], obs["speed"].tolist(), reward) == (3.0, [6.0], 2.0)
    assert env.observation_space.contains(obs)
    assert env.reset(options={"obs": [1.0, 5.0]})[0]["place"] == 1.0
    with pytest.raises(SettingsError, match="a dict of place, speed, or an array, got a dict of speed"):
        env.reset(options={"obs": {"speed": [1.0]}})
    with pytest.raises(SettingsError, match=r"options\['obs'\]\['speed'\] must have shape \(1,\)"):
        env.reset(options={"obs": {**start, "speed": [1.0, 2.0]}})


@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_single_and_vector_environments_give_the_same_dicts(output: str) -> None:
    single = gym.make("LearnedModel-v0", **options(NESTED), max_episode_steps=3)
    how: dict[str, Any] = {"output": output, "max_episode_steps": 3, "autoreset_mode": "SameStep"}
    vector = gym.make_vec("LearnedModel-v0", 1, **options(NESTED), **how)
    first, rows = single.reset(seed=5)[0], vector.reset(seed=5)[0]
    for _ in range(3):
        assert {n: part.tolist() for n, part in first.items()} == {n: p[0].tolist() for n, p in rows.items()}
        first, reward, *_, truncated, _ = single.step(np.zeros(1, np.float32))
        rows, rewards, *_, infos = vector.step(np.zeros((1, 1), np.float32))
        assert reward == rewards[0]
        last = {n: part[0].tolist() for n, part in infos["final_obs"].items()}
        assert {n: part.tolist() for n, part in first.items()} == last
        rows = infos["final_obs"]
    assert truncated


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("single", [True, False])
def test_multi_input_policies_train_inside(output: str, single: bool) -> None:
    small: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}
    env: Any = (
        gym.make("LearnedModel-v0", **options(NESTED))
        if single
        else SB3VecEnv(gym.make_vec("LearnedModel-v0", 4, **options(NESTED), output=output))
    )
    PPO("MultiInputPolicy", env, n_steps=16, batch_size=16, **small).learn(32)
    agent = SAC("MultiInputPolicy", env, learning_starts=8, buffer_size=100, batch_size=8, **small).learn(24)
    assert agent._n_updates > 0
    envs = gym.make_vec("LearnedModel-v0", 2, **options(NESTED))
    spaces = envs.unwrapped.transitions.agent_spaces  # type: ignore[attr-defined]
    found = rollout(as_policy(agent, spaces), 4, 2, within=envs, seed=0)
    assert torch.equal(found.next_obs, found.obs + torch.tensor([1.0, -1.0]))


def test_agents_are_given_true_last_observations_by_name() -> None:
    envs = SB3VecEnv(gym.make_vec("LearnedModel-v0", 2, **options(NESTED), max_episode_steps=1))
    obs = envs.reset()
    _, _, dones, infos = envs.step(np.zeros((2, 1), np.float32))
    assert dones.all()
    for row, info in enumerate(infos):
        assert info["terminal_observation"]["place"] == obs["place"][row] + 1


def test_a_mixed_buffer_refuses_a_dict() -> None:
    space = gym.make("LearnedModel-v0", **options(NESTED)).observation_space
    with pytest.raises(SettingsError, match="needs a Box observation space, got Dict"):
        MixedReplayBuffer(8, space, Box(-1, 1, (1,)), dataset=toy_transitions())


def test_predictions_beyond_the_bounds_are_clipped() -> None:
    env = gym.make("LearnedModel-v0", **options(BOUNDED))
    assert env.observation_space == Box(BOUNDED.low.astype(np.float32), BOUNDED.high.astype(np.float32))
    env.reset(seed=0, options={"obs": [2.0, 1.0]})
    places = [env.step(np.zeros(1, np.float32))[0].tolist() for _ in range(3)]
    assert places == [[3.0, 0.0], [3.5, -1.0], [3.5, -2.0]]
    free = gym.make("LearnedModel-v0", **options(None))
    free.reset(seed=0, options={"obs": [3.0, 1.0]})
    assert [free.step(np.zeros(1, np.float32))[0][0] for _ in range(2)] == [4.0, 5.0]


def test_an_episode_that_is_told_to_start_beyond_the_bounds_starts_at_them() -> None:
    env = gym.make("LearnedModel-v0", **options(BOUNDED))
    assert env.reset(seed=0, options={"obs": [9.0, 1.0]})[0].tolist() == [3.5, 1.0]
    envs = gym.make_vec("LearnedModel-v0", num_envs=2, **options(BOUNDED))
    starts = {"obs": [[9.0, 1.0], [2.0, 1.0]]}
    assert envs.reset(seed=0, options=starts)[0].tolist() == [[3.5, 1.0], [2.0, 1.0]]


def test_rows_beyond_the_bounds_by_rounding_start_at_them() -> None:
    above = Box(np.array([5e-7, -9.0]), np.array([9.0, 9.0]), dtype=np.float64)  # the data begin at 0
    env = gym.make_vec("LearnedModel-v0", num_envs=64, **options(above))
    obs, _ = env.reset(seed=0)
    assert obs in env.observation_space
    assert obs[:, 0].min() == np.float32(5e-7)


def test_a_space_without_bounds_changes_no_number() -> None:
    def play(space: Any) -> list[list[float]]:
        env = gym.make("LearnedModel-v0", **{**options(space), "model": toy_options()["model"]})
        env.reset(seed=3)
        return [env.step(np.zeros(1, np.float32))[0].tolist() for _ in range(5)]

    assert play(None) == play(Box(-np.inf, np.inf, (2,), np.float64))


def test_bounds_that_the_data_leave_are_not_used() -> None:
    narrow = Box(np.array([0.0, -1.0]), np.array([2.5, 9.0]), dtype=np.float64)
    data = Transitions(**{**vars_of(toy_transitions()), "obs_space": narrow})
    with pytest.warns(UserWarning, match=r"outside the bounds of their space .* in obs\[0\];"):
        loaded = load_transitions(data)
    assert loaded.obs_space == Box(*np.array([[-np.inf, -1.0], [np.inf, 9.0]], np.float32))


def test_bounds_stand_where_the_data_leave_them_by_rounding_only() -> None:
    """A cosine of 1.0000001 says nothing against its bounds."""
    data = toy_transitions()
    most = data.next_obs.amax(0).maximum(data.obs.amax(0)).double().numpy()
    for excess, kept in ((5e-7, True), (5e-6, False)):
        space = Box(np.full(2, -np.inf), most - excess * np.maximum(1, np.abs(most)), dtype=np.float64)
        given = Transitions(**{**vars_of(data), "obs_space": space})
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert (load_transitions(given).obs_space == space) == kept
        assert len(said) == (not kept)


def test_minari_gives_dicts_and_bounds() -> None:
    space = Dict({"up": Box(0.0, 100.0, (1,), np.float64), "down": Box(-np.inf, np.inf, (1,), np.float64)})
    counts = np.arange(4.0)[:, None]
    buffer = episode(0, 3, observations={"up": counts, "down": -counts})
    write_minari("named-v0", [buffer], observation_space=space)
    data = load_transitions("named-v0")
    assert data.obs.tolist() == [[0, 0], [-1, 1], [-2, 2]]  # sorted by name
    assert data.next_obs.tolist() == [[-1, 1], [-2, 2], [-3, 3]]
    assert data.obs_space == space
    joined = load_transitions(["named-v0", "named-v0"])
    assert joined.obs_space == space
    with pytest.raises(DatasetError, match="must have the same Dict of observations"):
        load_transitions(["named-v0", {**plain(), "actions": np.zeros((3, 1))}])
    stacked = load_transitions("named-v0", history=2)  # of the columns
    assert (stacked.obs_dim, stacked.agent_spaces.obs) == (2 + 1 + 2, None)


def plain() -> dict[str, Any]:
    return {
        "obs": np.zeros((3, 2)),
        "next_obs": np.zeros((3, 2)),
        "rewards": np.zeros(3),
        "terminated": np.array([False, False, True]),
    }


def test_pictures_and_texts_are_refused_by_name() -> None:
    text = episode(0, 2, observations=["a", "b", "c"])
    write_minari("text-v0", [text], observation_space=Text(5))
    with pytest.raises(DatasetError, match="or a Dict of such Boxes, received Text"):
        load_transitions("text-v0")


def test_an_environment_gives_its_bounds() -> None:
    zeros = np.zeros((4, 3), np.float32)
    data = load_transitions(
        {
            "obs": zeros,
            "next_obs": zeros,
            "actions": np.zeros((4, 1)),
            "rewards": np.zeros(4),
            "terminated": np.zeros(4, bool),
            "episode_starts": np.array([0]),
        },
        env_id="Pendulum-v1",
    )
    assert data.obs_space == gym.make("Pendulum-v1").observation_space
    env = gym.make("LearnedModel-v0", dataset=data, model=lambda obs, action: (obs + 3.0, obs[:, 0]))
    env.reset(seed=0)
    assert env.step(np.zeros(1, np.float32))[0].tolist() == [1.0, 1.0, 3.0]
    TRPO("MlpPolicy", env, n_steps=8, batch_size=8, policy_kwargs={"net_arch": [4]}, device="cpu").learn(8)
