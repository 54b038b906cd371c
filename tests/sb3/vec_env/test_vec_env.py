import pickle
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from offline_envs.errors import SettingsError
from offline_envs.sb3 import SB3VecEnv, VectorInfos
from offline_envs.sb3.vec_env.host_copy import _packed_copy, host_step
from offline_envs.wrappers import vector
from tests.sb3.toy import CountingVectorEnv
from tests.toy import counting_ensemble, toy_options


def cartpoles(n: int, *, max_episode_steps: int | None = None) -> SyncVectorEnv:
    return SyncVectorEnv(
        [lambda: gym.make("CartPole-v1", max_episode_steps=max_episode_steps)] * n,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )


def learned_options() -> dict[str, Any]:
    return toy_options(model=counting_ensemble())


def steps(env: SB3VecEnv, n: int) -> Iterator[Any]:
    env.reset()
    for _ in range(n):
        yield env.step(np.zeros((env.num_envs, 1), np.float32))


@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_known_episodes_end_as_sb3_expects(output: str) -> None:
    # Row 0 runs to the horizon of 3, row 1 terminates at step 2, row 2 does both at step 3.
    env = SB3VecEnv(CountingVectorEnv([9, 2, 3], horizon=3, output=output))
    first, second, third = steps(env, 3)
    for obs, rewards, dones, _ in (first, second, third):
        assert (type(obs), obs.dtype, rewards.dtype, dones.dtype) == (
            np.ndarray,
            np.float32,
            np.float32,
            bool,
        )
    assert first[0].tolist() == [[0, 1], [1, 1], [2, 1]]
    assert first[1].tolist() == [1, 101, 201]
    assert not first[2].any()
    assert first[3] == [{"TimeLimit.truncated": False}] * 3

    obs, _, dones, infos = second
    assert dones.tolist() == [False, True, False]
    assert obs.tolist() == [[0, 2], [1, 0], [2, 2]]
    assert infos[1]["terminal_observation"].tolist() == [1, 2]
    assert infos[1]["TimeLimit.truncated"] is False
    assert (infos[1]["episode"]["r"], infos[1]["episode"]["l"]) == (101 + 102, 2)
    assert "episode" not in infos[0]

    obs, _, dones, infos = third
    assert dones.tolist() == [True, False, True]
    assert [infos[row]["TimeLimit.truncated"] for row in range(3)] == [True, False, False]
    assert infos.truncated.tolist() == [True, False, False]
    assert infos.final_obs.tolist() == [[0, 3], [2, 3]]
    assert [infos[row]["episode"]["r"] for row in (0, 2)] == [1 + 2 + 3, 201 + 202 + 203]


def test_statistics_start_again_after_an_end_and_after_a_reset() -> None:
    env = SB3VecEnv(CountingVectorEnv([2], horizon=9))
    lengths = [infos[0].get("episode", {}).get("l") for _, _, _, infos in steps(env, 5)]
    assert lengths == [None, 2, None, 2, None]
    assert [infos[0].get("episode", {}).get("l") for _, _, _, infos in steps(env, 2)] == [None, 2]


def test_rows_that_continue_share_one_dict_within_a_step_only() -> None:
    env = SB3VecEnv(CountingVectorEnv([9, 9, 1], horizon=9))
    first, second = steps(env, 2)
    assert first[3][0] is first[3][1]
    assert first[3][0] is not second[3][0]
    assert first[3][2] is not first[3][0]


def test_nothing_handed_out_is_later_overwritten() -> None:
    sync = SyncVectorEnv(
        [lambda: gym.make("Pendulum-v1")] * 2, copy=False, autoreset_mode=AutoresetMode.SAME_STEP
    )
    env: Any = SB3VecEnv(sync)
    obs = env.reset()
    before = obs.copy()
    next_obs, *_ = env.step(np.ones((2, 1), np.float32))
    assert np.array_equal(obs, before)
    assert not np.array_equal(obs, next_obs)


def test_sync_vector_env_agrees_with_a_single_environment() -> None:
    env: Any = SB3VecEnv(cartpoles(1, max_episode_steps=12))
    single: Any = gym.make("CartPole-v1", max_episode_steps=12)
    env.seed(3)
    obs, (expected, _) = env.reset(), single.reset(seed=3)
    for step in range(60):
        assert np.array_equal(obs[0], expected)
        obs, rewards, dones, infos = env.step(np.array([step % 2]))
        expected, reward, terminated, truncated, _ = single.step(step % 2)
        assert rewards.dtype == np.float32
        assert (rewards[0], dones[0]) == (reward, terminated or truncated)
        if dones[0]:
            assert np.array_equal(infos[0]["terminal_observation"], expected)
            assert infos[0]["terminal_observation"].dtype == np.float32
            assert infos[0]["TimeLimit.truncated"] is (truncated and not terminated)
            expected, _ = single.reset()


def test_last_infos_of_an_episode_reach_its_row() -> None:
    def make() -> gym.Env:
        return gym.wrappers.RecordEpisodeStatistics(gym.make("CartPole-v1", max_episode_steps=3))

    env: Any = SB3VecEnv(SyncVectorEnv([make] * 2, autoreset_mode=AutoresetMode.SAME_STEP))
    env.reset()
    for _ in range(3):
        _, _, _, infos = env.step(np.array([0, 1]))
    assert infos[1]["episode"]["l"] == 3
    assert infos.arrays["final_info"]["episode"]["l"].tolist() == [3, 3]


def test_float64_observations_come_in_the_dtype_of_the_space() -> None:
    class Double(CountingVectorEnv):
        def _obs(self) -> np.ndarray:
            return super()._obs().astype(np.float64)

    env = SB3VecEnv(Double([1], horizon=9))
    assert env.reset().dtype == np.float32
    _, _, _, infos = env.step(np.zeros((1, 1)))
    assert infos[0]["terminal_observation"].dtype == np.float32


def test_tensors_packed_for_one_copy_come_apart_as_they_were() -> None:
    obs, flags = torch.arange(12.0).reshape(3, 2, 2), torch.tensor([True, False, True])
    fields = _packed_copy((obs, torch.arange(3.0), flags, ~flags, None))
    assert np.array_equal(fields[0], obs.numpy())
    assert [field.tolist() for field in fields[1:4]] == [[0, 1, 2], [1, 0, 1], [0, 1, 0]]
    assert fields[4] is None
    dense = _packed_copy((obs, torch.arange(3.0), flags, ~flags, obs + 1))
    assert np.array_equal(dense[4], obs.numpy() + 1)


def test_a_device_is_read_once_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[int] = []

    def packed(fields: Any) -> Any:
        copies.append(1)
        return _packed_copy(fields)

    monkeypatch.setattr("offline_envs.sb3.vec_env.host_copy._as_arrays", packed)
    env = CountingVectorEnv([1, 9], horizon=9, output="torch")
    env.reset()
    step = host_step(env.step(torch.zeros(2, 1)), np.float32)
    assert len(copies) == 1
    assert step.final_obs is not None
    assert (step.obs.tolist(), step.final_obs.tolist()) == ([[0, 0], [1, 1]], [[0, 1], [1, 1]])
    assert (step.rewards.tolist(), step.terminated.tolist()) == ([1, 101], [True, False])


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_other_autoreset_modes_are_refused_with_what_to_pass(mode: AutoresetMode) -> None:
    env = SyncVectorEnv([lambda: gym.make("CartPole-v1")], autoreset_mode=mode)
    with pytest.raises(SettingsError, match=r"SAME_STEP.*autoreset_mode=gymnasium.vector.AutoresetMode"):
        SB3VecEnv(env)


def test_an_environment_that_does_not_say_where_episodes_ended_is_refused() -> None:
    class Forgetful(CountingVectorEnv):
        def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
            return (*super().step(actions)[:-1], {})

    env = SB3VecEnv(Forgetful([1]))
    env.reset()
    with pytest.raises(SettingsError, match="final_obs"):
        env.step(np.zeros((1, 1)))


def test_nested_observations_are_refused() -> None:
    """A Dict of arrays is taken, see `tests/envs/test_observation_spaces.py`."""
    env: Any = CountingVectorEnv([1])
    env.single_observation_space = gym.spaces.Dict(a=gym.spaces.Dict(b=gym.spaces.Box(0, 1)))
    with pytest.raises(SettingsError, match="FlattenObservation"):
        SB3VecEnv(env)


def test_seeds_and_options_reach_the_next_reset_only() -> None:
    toy = CountingVectorEnv([9, 9])
    env = SB3VecEnv(toy)
    env.seed(7)
    env.set_options({"obs": np.zeros(2)})
    env.reset()
    env.reset()
    env._seeds = [5, 3]
    env.reset()
    assert [seed for seed, _ in toy.resets] == [7, None, [5, 3]]
    assert toy.resets[0][1].keys() == {"obs"}
    assert toy.resets[1][1] is None
    env.set_options([{"a": 1}, {"a": 2}])
    with pytest.raises(SettingsError, match="one options dict"):
        env.reset()


def test_attributes_and_methods_of_an_environment_without_sub_environments() -> None:
    toy = CountingVectorEnv([9, 9], horizon=4)
    env = SB3VecEnv(toy)
    assert env.get_attr("horizon") == [4, 4]
    assert env.get_attr("horizon", indices=1) == [4]
    assert not env.has_attr("missing")
    env.set_attr("horizon", 6)
    assert toy.horizon == 6
    assert env.env_method("twice", 4) == [8, 8]
    assert env.env_is_wrapped(gym.wrappers.TimeLimit) == [False, False]
    for call in (
        lambda: env.set_attr("horizon", 1, indices=0),
        lambda: env.env_method("twice", 1, indices=[1]),
    ):
        with pytest.raises(SettingsError, match="indices=None"):
            call()


def test_attributes_of_a_learned_environment_are_found_under_its_layers() -> None:
    """`gym.make_vec` puts an autoreset layer around it, and a user may put more."""
    envs: Any = gym.make_vec("LearnedModel-v0", 2, autoreset_mode="SameStep", **learned_options())
    env = SB3VecEnv(vector.UncertaintyPenalty(envs))
    learned = envs.unwrapped
    for name in ("n_exploded", "transitions", "mdp", "ensemble", "max_episode_steps", "halts", "spec"):
        assert env.get_attr(name, indices=1) == [getattr(learned, name)]
        assert env.has_attr(name)
    assert not env.has_attr("missing")
    env.reset()
    env.env_method("end_at_next_step", torch.tensor([False, True]))
    assert env.step(np.zeros((2, 1), np.float32))[2].tolist() == [False, True]


def test_a_step_limit_that_is_set_is_the_one_that_holds() -> None:
    env = SB3VecEnv(gym.make_vec("LearnedModel-v0", 2, max_episode_steps=3, **learned_options()))
    env.set_attr("max_episode_steps", 5)
    assert env.get_attr("max_episode_steps") == [5, 5]
    assert [done.tolist() for _, _, done, _ in steps(env, 6)] == [[False] * 2] * 4 + [[True] * 2, [False] * 2]
    with pytest.raises(SettingsError, match=r"max_episode_steps must be of type int \| None, got '5'"):
        env.set_attr("max_episode_steps", "5")


def test_what_cannot_be_set_is_refused() -> None:
    """Another model would be reported, and the old one stepped."""
    env = SB3VecEnv(gym.make_vec("LearnedModel-v0", 2, **learned_options()))
    with pytest.raises(SettingsError, match="ensemble of LearnedVectorEnv cannot be set"):
        env.set_attr("ensemble", counting_ensemble())
    with pytest.raises(SettingsError, match=r"LearnedVectorEnv.* has no attribute 'penalty_coef' to set\."):
        env.set_attr("penalty_coef", 2.0)


def test_attributes_of_a_layer_around_sub_environments() -> None:
    envs = gym.wrappers.vector.RecordEpisodeStatistics(cartpoles(2), buffer_length=7)
    env = SB3VecEnv(envs)
    assert env.get_attr("return_queue")[0] is envs.return_queue
    assert env.get_attr("gravity") == [9.8, 9.8]


def test_attributes_and_methods_of_sub_environments() -> None:
    env = SB3VecEnv(cartpoles(2))
    env.set_attr("tag", "second", indices=1)
    assert not env.has_attr("tag")
    assert env.get_attr("tag", indices=[1]) == ["second"]
    assert env.env_method("get_wrapper_attr", "gravity") == [9.8, 9.8]
    assert env.env_is_wrapped(gym.wrappers.TimeLimit) == [True, True]
    assert env.env_is_wrapped(Monitor) == [True, True]
    env.close()


def test_attributes_and_methods_of_sub_environments_in_other_processes() -> None:
    envs = AsyncVectorEnv(
        [lambda: gym.make("CartPole-v1")] * 2, autoreset_mode=AutoresetMode.SAME_STEP, context="fork"
    )
    env = SB3VecEnv(gym.wrappers.vector.RecordEpisodeStatistics(envs))
    env.set_attr("tag", 3)
    assert env.get_attr("tag") == [3, 3]
    assert env.get_attr("tag", indices=[1]) == [3]
    assert env.env_method("get_wrapper_attr", "gravity") == [9.8, 9.8]
    env.close()


def test_images_are_tiled() -> None:
    toy = CountingVectorEnv([9, 9])
    toy.render_mode = "rgb_array"
    toy.render = lambda: tuple(np.full((4, 3, 3), row, np.uint8) for row in range(2))  # type: ignore[method-assign]
    image = SB3VecEnv(toy).render()
    assert image is not None
    assert image.shape == (8, 3, 3)
    assert image[:, 0, 0].tolist() == [0] * 4 + [1] * 4


def test_sb3_wrappers_and_agents_accept_it() -> None:
    with pytest.warns(UserWarning, match="statistics will be"):  # infos have them already
        monitored = VecMonitor(SB3VecEnv(CountingVectorEnv([9, 2], horizon=3)))
    env = VecNormalize(monitored)
    agent = PPO("MlpPolicy", env, n_steps=4, batch_size=8, n_epochs=1, device="cpu", seed=0).learn(8)
    assert agent.ep_info_buffer


def test_evaluate_policy_reads_our_episode_statistics() -> None:
    env = SB3VecEnv(CountingVectorEnv([2, 2], horizon=9))

    class Zero:
        def predict(self, observation: Any, state: Any, **settings: Any) -> tuple[Any, Any]:
            del settings  # Unused.
            return np.zeros((len(observation), 1)), state

    policy: Any = Zero()
    returns, lengths = evaluate_policy(policy, env, n_eval_episodes=4, return_episode_rewards=True)
    assert isinstance(returns, list)
    assert sorted(returns) == [3, 3, 203, 203]
    assert lengths == [2] * 4


def test_infos_survive_pickling() -> None:
    env = SB3VecEnv(CountingVectorEnv([1, 9]))
    ((_, _, _, infos),) = steps(env, 1)
    copy = pickle.loads(pickle.dumps(infos))
    assert isinstance(copy, VectorInfos)
    assert copy[0]["episode"] == infos[0]["episode"]
    assert copy.dones.tolist() == [True, False]
