from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import check_vector_env
from offline_envs.errors import SettingsError
from offline_envs.wrappers import UncertaintyPenalty as SinglePenalty
from offline_envs.wrappers.vector import HaltOnUnknown, UncertaintyPenalty
from tests.toy import PENALTIES, right_of_six, toy_ensemble, toy_options
from tests.wrappers.test_uncertainty_penalty import random_ensemble

N = 4
MODES = [mode.value for mode in AutoresetMode]


def play(envs: Any, n_steps: int = 25) -> list[Any]:
    envs.reset(seed=3)
    envs.action_space.seed(0)
    disabled = envs.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    course = []
    for _ in range(n_steps):
        *values, infos = envs.step(envs.action_space.sample())
        course.append([*(v.tolist() for v in values), {k: v.tolist() for k, v in infos.items()}])
        if disabled:
            course.append(envs.reset(options={"reset_mask": values[2] | values[3]})[0].tolist())
    return course


def assert_same(course: list[Any], other: list[Any]) -> None:
    """Equal but for the last bits: without pessimism a model computes each row with its own member only."""
    torch.testing.assert_close(course, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", MODES)
def test_penalised_environment_is_the_learned_one_and_the_wrapper(mode: str, output: str) -> None:
    options = toy_options(model=random_ensemble(), autoreset_mode=mode, output=output, step_infos=True)
    for penalty, members in PENALTIES:
        choice: Any = {"penalty_coef": 0.7, "penalty": penalty, "penalty_members": members}
        inside = gym.make_vec("PenalizedModel-v0", num_envs=N, **options, **choice)
        plain = gym.make_vec("LearnedModel-v0", num_envs=N, **options)
        assert_same(play(inside, 12), play(UncertaintyPenalty(plain, **choice, step_infos=True), 12))


def test_in_units_of_the_data_too() -> None:
    options = toy_options(model=random_ensemble(), step_infos=True)
    choice: Any = {"penalty_coef": 0.7, "penalty": "max_disagreement", "penalty_scale": "data"}
    inside = gym.make_vec("PenalizedModel-v0", num_envs=N, **options, **choice)
    outside = UncertaintyPenalty(
        gym.make_vec("LearnedModel-v0", num_envs=N, **options), step_infos=True, **choice
    )
    course = play(inside, 12)
    assert_same(course, play(outside, 12))
    raw = play(gym.make_vec("PenalizedModel-v0", num_envs=N, **options, **{**choice, "penalty_scale": "raw"}))
    assert raw[0][-1]["penalty"] != pytest.approx(course[0][-1]["penalty"])


@pytest.mark.parametrize("mode", MODES)
def test_also_where_predictions_explode_and_episodes_end(mode: str) -> None:
    ensemble = toy_ensemble(stds=((1.0, 15.0, 15.0),) * 3)
    options = toy_options(model=ensemble, termination=right_of_six, autoreset_mode=mode, step_infos=True)
    inside = gym.make_vec("PenalizedModel-v0", num_envs=N, **options)
    plain = gym.make_vec("LearnedModel-v0", num_envs=N, **options)
    assert play(inside) == play(UncertaintyPenalty(plain, step_infos=True))
    assert inside.unwrapped.n_exploded == plain.unwrapped.n_exploded > 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", MODES)
def test_keeps_the_rules_of_vector_environments(mode: str, output: str) -> None:
    envs = gym.make_vec(
        "LearnedModel-v0",
        num_envs=N,
        autoreset_mode=mode,
        output=output,
        max_episode_steps=3,
        **toy_options(),
    )
    check_vector_env(UncertaintyPenalty(envs, step_infos=True), n_steps=12)


def test_infos_are_given_only_when_asked_for() -> None:
    same_step = toy_options(autoreset_mode="SameStep")
    envs = UncertaintyPenalty(gym.make_vec("LearnedModel-v0", num_envs=N, **same_step))
    envs.reset(seed=0)
    assert set(envs.step(np.zeros((N, 1), np.float32))[4]) == {"final_obs", "_final_obs"}


def test_row_that_restarts_is_not_penalised() -> None:
    envs = UncertaintyPenalty(
        gym.make_vec(
            "LearnedModel-v0", num_envs=1, autoreset_mode="NextStep", max_episode_steps=2, **toy_options()
        ),
        step_infos=True,
    )
    envs.reset(seed=0)
    course = [envs.step(np.zeros((1, 1), np.float32)) for _ in range(5)]
    assert [round(float(step[4]["penalty"][0]), 4) for step in course] == [7, 7, 0, 7, 7]
    assert course[2][1].tolist() == [0.0]
    envs.reset(options={"reset_mask": np.array([True])})  # nothing is left to restart
    assert envs.step(np.zeros((1, 1), np.float32))[4]["penalty"] == pytest.approx(7)


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_measures_real_environments_as_the_single_wrapper_does(mode: AutoresetMode, copy: bool) -> None:
    """Without `copy` the environment overwrites the observations it returned: the old ones must be kept."""
    ensemble = random_ensemble(obs_dim=3)

    def pendulum() -> gym.Env[Any, Any]:
        return gym.make("Pendulum-v1", max_episode_steps=3)

    plain = SyncVectorEnv([pendulum] * 2, autoreset_mode=mode, copy=copy)
    wrapped = SyncVectorEnv([lambda: SinglePenalty(pendulum(), 0.1, model=ensemble)] * 2, autoreset_mode=mode)
    envs = UncertaintyPenalty(plain, 0.1, model=ensemble, step_infos=True)
    envs.reset(seed=0)
    wrapped.reset(seed=0)
    for _ in range(8):
        actions = envs.action_space.sample()
        _, rewards, _, _, infos = envs.step(actions)
        expected = wrapped.step(actions)[1]
        assert rewards.dtype == np.float64
        np.testing.assert_allclose(rewards, expected, rtol=1e-6)
        np.testing.assert_allclose(rewards, infos["raw_reward"] - infos["penalty"])


def test_a_mask_of_either_kind_may_reset() -> None:
    for output, mask in (("numpy", torch.ones(N, dtype=torch.bool)), ("torch", np.ones(N, bool))):
        envs = UncertaintyPenalty(
            gym.make_vec(
                "LearnedModel-v0", num_envs=N, autoreset_mode="NextStep", output=output, **toy_options()
            )
        )
        envs.reset(seed=0)
        envs.step(np.zeros((N, 1), np.float32))
        envs.reset(options={"reset_mask": mask})
        envs.step(np.zeros((N, 1), np.float32))


def test_rewards_that_a_layer_beneath_changes_unseen_are_not_called_raw() -> None:
    options = toy_options(model=random_ensemble())
    silent = gym.make_vec("PenalizedModel-v0", num_envs=N, **options)
    for wrapper in (UncertaintyPenalty, HaltOnUnknown):
        with pytest.raises(SettingsError, match="LearnedVectorEnv beneath changes rewards"):
            wrapper(silent, step_infos=True)
    plain = gym.make_vec("LearnedModel-v0", num_envs=N, **options)
    with pytest.raises(SettingsError, match="UncertaintyPenalty beneath changes rewards"):
        HaltOnUnknown(UncertaintyPenalty(plain), step_infos=True)
    HaltOnUnknown(UncertaintyPenalty(plain, step_infos=True), step_infos=True)
