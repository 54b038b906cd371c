"""A user's method: one class and one registered id."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import offline_envs
from offline_envs.errors import SettingsError
from offline_envs.methods import Penalty, Plain
from offline_envs.wrappers import HaltOnUnknown
from tests.methods.truncating import CutFar
from tests.toy import counting_ensemble, toy_options

ENV_ID = "TestsCutFar-v0"
offline_envs.register_method(ENV_ID, "tests.methods.truncating:CutFar", max_episode_steps=20)


def options(**changes: Any) -> dict[str, Any]:
    return toy_options(model=counting_ensemble(), **changes)


def test_unknown_rows_may_be_left_open_for_a_value_beyond() -> None:
    """From obs₀ = 0, the step from 3 is cut: truncated, not terminated, with the model's own reward."""
    env = gym.make(ENV_ID, **options())
    env.reset(seed=0, options={"obs": np.zeros(2, np.float32)})
    steps = [env.step(np.zeros(1, np.float32)) for _ in range(4)]
    assert [truncated for *_, truncated, _ in steps] == [False, False, False, True]
    assert not any(terminated for _, _, terminated, _, _ in steps)
    assert [round(float(reward)) for _, reward, *_ in steps] == [1, 1, 1, 1]
    assert [info["far"] for *_, info in steps] == [False, False, False, True]
    assert all(np.array_equal(info["position"], obs) for obs, *_, info in steps)  # an info of several numbers


@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_a_cut_row_restarts_and_keeps_its_true_successor(output: str) -> None:
    same_step = options(autoreset_mode="SameStep", output=output)
    envs = gym.make_vec(ENV_ID, num_envs=2, limit=-1.0, step_infos=True, **same_step)
    envs.reset(seed=0, options={"obs": np.zeros((2, 2), np.float32)})
    _, _, terminations, truncations, infos = envs.step(np.zeros((2, 1), np.float32))
    assert truncations.tolist() == [True, True]
    assert terminations.tolist() == [False, False]
    assert infos["final_obs"][:, 0].round().tolist() == [1.0, 1.0]
    assert infos["far"].tolist() == [True, True]


def test_its_settings_are_keywords_of_its_environment() -> None:
    assert gym.spec(ENV_ID).max_episode_steps == 20
    assert gym.make(ENV_ID, limit=7, **options()).unwrapped.method == CutFar(7.0)  # type: ignore[attr-defined]
    for make in (gym.make, gym.make_vec):
        with pytest.raises(
            SettingsError, match=r"unexpected keyword argument 'limits'\. Valid: .*limit, .*start"
        ):
            make(ENV_ID, limits=7, **options())
        with pytest.raises(SettingsError, match="limit must be of type float, got 'far'"):
            make(ENV_ID, limit="far", **options())


def test_an_id_that_is_taken_is_refused() -> None:
    offline_envs.register_method(ENV_ID, "tests.methods.truncating:CutFar", max_episode_steps=20)  # the same
    with pytest.raises(SettingsError, match="'PenalizedModel-v0' is taken"):
        offline_envs.register_method("PenalizedModel-v0", "tests.methods.truncating:CutFar")
    with pytest.raises(SettingsError, match="'CartPole-v1' is taken"):
        offline_envs.register_method("CartPole-v1", "tests.methods.truncating:CutFar")


class Halting(CutFar):
    """It says that it halts, so a wrapper must not do it again."""

    halts = True


def test_a_method_that_halts_is_not_halted_again() -> None:
    assert HaltOnUnknown(gym.make("LearnedModel-v0", method=CutFar(), **options()))
    with pytest.raises(SettingsError, match="halted already"):
        HaltOnUnknown(gym.make("LearnedModel-v0", method=Halting(), **options()))


def test_a_method_may_be_given_as_an_object() -> None:
    env: Any = gym.make("LearnedModel-v0", method=Penalty(2.0), **options()).unwrapped
    assert env.method == Penalty(2.0)
    assert Plain() != Penalty()
