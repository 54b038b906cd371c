"""A vector environment gives, row by row, what the single one gives: for every id and every wrapper."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import VectorEnv

import offline_envs
from offline_envs import wrappers
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.wrappers import vector
from tests.toy import right_of_six, toy_options

N, STEPS = 8, 6
Shell = Callable[[Any], Any]

UNCERTAIN: dict[str, Any] = {"penalty_coef": 0.3, "penalty": "max_disagreement"}
RULE = {"quantile": 0.7}
TRUNCATING: dict[str, Any] = {"on_unknown": "truncate", "disagreement": "std"}


def quiet_ensemble() -> EnsembleDynamics:
    """Make an ensemble without noise whose steps are drawn from one member: nothing is left to chance."""
    settings = EnsembleSettings(n_members=3, n_elites=1, hidden=(8,))
    ensemble = EnsembleDynamics(2, 1, settings=settings, seed=3).requires_grad_(False)
    assert ensemble.bounds is not None
    ensemble.bounds.low.fill_(-60.0)
    ensemble.bounds.high.fill_(-40.0)
    return ensemble


SHELLS: dict[str, tuple[Shell, Shell]] = {
    "none": (lambda env: env, lambda env: env),
    "penalty": (
        lambda env: wrappers.UncertaintyPenalty(env, **UNCERTAIN),
        lambda env: vector.UncertaintyPenalty(env, step_infos=True, **UNCERTAIN),
    ),
    "halt": (
        lambda env: wrappers.HaltOnUnknown(env, RULE),
        lambda env: vector.HaltOnUnknown(env, RULE, step_infos=True),
    ),
    "truncating halt": (
        lambda env: wrappers.HaltOnUnknown(env, RULE, **TRUNCATING),
        lambda env: vector.HaltOnUnknown(env, RULE, step_infos=True, **TRUNCATING),
    ),
}


def nested(outer: str, inner: str, kind: int) -> Shell:
    """One wrapper around another, of single (0) or of vector environments (1)."""
    return lambda env: SHELLS[outer][kind](SHELLS[inner][kind](env))


SHELLS["penalty of halt"] = (nested("penalty", "halt", 0), nested("penalty", "halt", 1))
SHELLS["halt of penalty"] = (nested("halt", "penalty", 0), nested("halt", "penalty", 1))

CASES = [
    (env_id, shell)
    for env_id in offline_envs.ENV_IDS
    for shell in SHELLS
    if env_id != "PessimisticModel-v0" or "halt" not in shell  # episodes are halted once
]


def test_every_wrapper_takes_part() -> None:
    pessimistic, elsewhere = {"UncertaintyPenalty", "HaltOnUnknown"}, {"MatchSpaces", "HistoryObservation"}
    assert set(vector.__all__) == pessimistic | elsewhere  # the latter have tests of their own
    assert set(wrappers.__all__) == {
        *vector.__all__,
        "PlannedActions",
        "vector",
    }  # and the last no vector version


def course_of(env: gym.Env[Any, Any], start: Any, actions: Any) -> list[tuple[Any, ...]]:
    """Steps of one episode, to its end."""
    env.reset(seed=0, options={"obs": start})
    course = []
    for action in actions:
        obs, reward, terminated, truncated, info = env.step(action)
        course.append((obs, reward, terminated, truncated, info))
        if terminated or truncated:
            break
    return course


def rows_of(envs: VectorEnv[Any, Any, Any], starts: Any, actions: Any) -> list[list[tuple[Any, ...]]]:
    """The same of every row; finished rows are restarted, and what follows is left out."""
    envs.reset(seed=0, options={"obs": starts})
    courses: list[list[tuple[Any, ...]]] = [[] for _ in starts]
    over = np.zeros(len(starts), bool)
    for t in range(STEPS):
        obs, rewards, terminations, truncations, infos = envs.step(actions[:, t])
        for i in np.flatnonzero(~over):
            row = {name: values[i] for name, values in infos.items()}
            courses[i].append((obs[i], rewards[i], terminations[i], truncations[i], row))
        done = terminations | truncations
        over |= done
        if done.any():
            envs.reset(options={"reset_mask": done})
    return courses


@pytest.mark.parametrize(("env_id", "shell"), CASES)
def test_vector_agrees_with_single(env_id: str, shell: str) -> None:
    options: dict[str, Any] = toy_options(model=quiet_ensemble(), termination=right_of_six)
    options |= {"max_episode_steps": STEPS - 1}
    options |= {"threshold": RULE} if env_id == "PessimisticModel-v0" else {}
    env = SHELLS[shell][0](gym.make(env_id, **options))
    envs = SHELLS[shell][1](
        gym.make_vec(env_id, num_envs=N, autoreset_mode="Disabled", step_infos=True, **options)
    )
    generator = np.random.default_rng(0)
    starts = generator.uniform(-1, 4, (N, 2)).astype(np.float32)
    actions = generator.uniform(-1, 1, (N, STEPS, 1)).astype(np.float32)
    courses = rows_of(envs, starts, actions)
    for i in range(N):
        expected = course_of(env, starts[i], actions[i])
        assert len(courses[i]) == len(expected)
        for found, wanted in zip(courses[i], expected, strict=True):
            assert found[4].keys() == wanted[4].keys()
            for a, b in zip(found[:4], wanted[:4], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
            for name in wanted[4]:
                np.testing.assert_allclose(found[4][name], wanted[4][name], rtol=1e-4, atol=1e-5)
    if "halt" in shell or env_id == "PessimisticModel-v0":
        halted = [step[4]["halted"] for course in courses for step in course]
        assert any(halted)
        assert not all(halted)
