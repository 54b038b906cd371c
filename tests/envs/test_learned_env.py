from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import LearnedEnv
from offline_envs.errors import SettingsError
from tests.toy import counting_ensemble, right_of_six, toy_options, toy_transitions

ACTION = np.zeros(1, np.float32)


def make_bare(env_id: str = "LearnedModel-v0", **changes: object) -> LearnedEnv:
    env = gym.make(env_id, **toy_options(**changes)).unwrapped
    assert isinstance(env, LearnedEnv)
    return env


def test_spaces_are_those_of_the_data() -> None:
    env = make_bare()
    assert env.observation_space == gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    assert env.action_space == gym.spaces.Box(-1, 1, (1,), np.float32)


def test_step_returns_plain_scalars_and_a_float32_array() -> None:
    env = make_bare("PenalizedModel-v0")
    obs, info = env.reset(seed=0)
    assert (obs.dtype, obs.shape) == (np.float32, (2,))
    obs, reward, terminated, truncated, info = env.step(ACTION)
    assert (obs.dtype, obs.shape) == (np.float32, (2,))
    assert [type(value) for value in (reward, terminated, truncated)] == [float, bool, bool]
    assert [type(value) for value in info.values()] == [float, float, bool]
    assert list(info) == ["raw_reward", "penalty", "exploded"]


@pytest.mark.parametrize("env_id", ["PenalizedModel-v0", "PessimisticModel-v0"])
def test_infos_of_a_reset_have_the_keys_and_types_of_a_step_and_say_nothing(env_id: str) -> None:
    """Recorders of episodes want the same in every row."""
    env = make_bare(env_id)
    _, before = env.reset(seed=0)
    _, _, _, _, after = env.step(ACTION)
    assert [(name, type(value)) for name, value in before.items()] == [
        (name, type(value)) for name, value in after.items()
    ]
    assert all(value is False or np.isnan(value) for value in before.values())


@pytest.mark.parametrize("env_id", ["LearnedModel-v0", "PenalizedModel-v0"])
def test_equals_a_vector_env_of_one_row(env_id: str) -> None:
    single = gym.make(env_id, **toy_options(), max_episode_steps=20)
    vector = gym.make_vec(
        env_id, 1, **toy_options(), autoreset_mode="Disabled", max_episode_steps=20, step_infos=True
    )
    assert single.reset(seed=7)[0].tolist() == vector.reset(seed=7)[0][0].tolist()
    for _ in range(20):
        obs, *outcome, info = single.step(ACTION)
        rows, *outcomes, infos = vector.step(ACTION[None])
        assert obs.tolist() == rows[0].tolist()
        assert outcome == [row[0] for row in outcomes]
        assert info == {name: values[0] for name, values in infos.items()}
        if any(outcome[1:]):
            break


def test_truncates_at_the_time_limit_and_both_flags_may_be_set() -> None:
    options = toy_options(model=counting_ensemble(), termination=right_of_six)
    env = gym.make("LearnedModel-v0", max_episode_steps=4, **options)
    for start, expected in ((0.0, (False, True)), (2.5, (True, True))):
        env.reset(seed=0, options={"obs": [start, 0.0]})
        course = [env.step(ACTION) for _ in range(4)]
        assert [step[2:4] for step in course] == [(False, False)] * 3 + [expected]


def test_default_time_limit_is_five_steps() -> None:
    env = gym.make("LearnedModel-v0", **toy_options(model=counting_ensemble()))
    env.reset(seed=0)
    assert [env.step(ACTION)[3] for _ in range(5)] == [False] * 4 + [True]


def test_starts_from_the_data_from_first_states_or_from_what_is_asked() -> None:
    toy = toy_transitions()
    env = make_bare()
    seen = {tuple(env.reset(seed=seed)[0].tolist()) for seed in range(60)}
    assert seen == {tuple(row) for row in toy.obs.tolist()}
    env = make_bare(start="initial")
    seen = {tuple(env.reset(seed=seed)[0].tolist()) for seed in range(30)}
    assert seen == {(0.0, 0.0), (0.0, 1.0), (0.0, 2.0)}
    obs, _ = env.reset(options={"obs": [7.0, 8.0]})
    assert obs.tolist() == [7.0, 8.0]


def test_an_array_given_to_start_from_is_copied() -> None:
    env = make_bare(model=counting_ensemble())
    start = np.array([0.5, 0.0], np.float32)
    options = {"obs": start}
    obs, _ = env.reset(seed=0, options=options)
    start[:] = obs[:] = 99
    assert env.step(ACTION)[0] == pytest.approx([1.5, 0.0], abs=1e-4)
    assert list(options) == ["obs"]


def test_returned_arrays_are_never_written_again() -> None:
    env = make_bare()
    kept = [env.reset(seed=0)[0]] + [env.step(ACTION)[0] for _ in range(5)]
    copies = [obs.copy() for obs in kept]
    for _ in range(5):
        env.step(ACTION)
    env.reset()
    assert all(np.array_equal(obs, copy) for obs, copy in zip(kept, copies, strict=True))
    kept[0][:] = 99  # nor does the environment read them
    assert not np.shares_memory(kept[1], kept[2])


def test_same_seed_gives_the_same_numbers_whatever_else_ran() -> None:
    def play() -> list[list[float]]:
        env = make_bare()
        first = env.reset(seed=3)[0]
        return [first.tolist()] + [env.step(ACTION)[0].tolist() for _ in range(5)]

    first = play()
    torch.randn(7)
    np.random.default_rng(1).normal()
    assert play() == first


def test_a_reset_without_seed_goes_on_with_the_random_numbers() -> None:
    env = make_bare()
    env.reset(seed=3)
    first = env.step(ACTION)[0].tolist()
    env.reset()
    assert env.step(ACTION)[0].tolist() != first


def test_actions_may_be_arrays_that_cannot_be_written_to() -> None:
    """Torch warns of such an array, and JAX returns nothing else."""
    action = np.zeros(1, np.float32)
    action.setflags(write=False)
    env = gym.make("LearnedModel-v0", **toy_options())
    env.reset(seed=0)
    env.step(action)
    envs = gym.make_vec("LearnedModel-v0", num_envs=2, **toy_options())
    envs.reset(seed=0)
    envs.step(np.broadcast_to(action, (2, 1)))


def test_step_before_reset_is_an_error() -> None:
    with pytest.raises(ResetNeeded):
        make_bare().step(ACTION)


def test_wrong_shapes_are_refused() -> None:
    env = make_bare()
    with pytest.raises(SettingsError, match=r"options\['obs'\] must have shape \(2,\), got \(3,\)"):
        env.reset(options={"obs": [0.0, 1.0, 2.0]})
    with pytest.raises(SettingsError, match="must be finite"):
        env.reset(options={"obs": [0.0, np.nan]})
    env.reset()
    with pytest.raises(SettingsError, match=r"shape \(1,\), got \(2,\)"):
        env.step(np.zeros(2, np.float32))


def test_a_kept_flag_of_a_replaced_reward_is_not_overwritten() -> None:
    env: Any = gym.make("LearnedModel-v0", **toy_options()).unwrapped
    env.reset(seed=0)
    env.step(env.action_space.sample())
    kept = env.reward_replaced
    kept.fill_(True)
    assert not env.reward_replaced.any()
