from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box

import offline_envs  # noqa: F401  registers the environments
from offline_envs.errors import SettingsError
from offline_envs.wrappers import HaltOnUnknown, UncertaintyPenalty
from tests.toy import HALT_ABOVE_2, halting_options, spreading_ensemble, toy_options, toy_transitions
from tests.wrappers.test_uncertainty_penalty import assert_same_play, play, random_ensemble

ACTION = np.zeros(1, np.float32)
WHOLE: dict[str, Any] = {"member": "episode", "start": "initial", "max_episode_steps": 500}
GUARD: dict[str, Any] = {**HALT_ABOVE_2, "model": spreading_ensemble(), "dataset": toy_transitions()}


class Counting(gym.Env[Any, Any]):
    """A real environment whose obs₀ counts its steps, and which pays 1 for each."""

    observation_space, action_space = Box(-99.0, 99.0, (2,)), Box(-1.0, 1.0, (1,))

    def __init__(self, first: float = 0.0) -> None:
        self._first = self._obs = np.array([first, 0.0], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._obs = self._first
        return self._obs.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._obs = self._obs + np.array([1, 0], np.float32)
        return self._obs.copy(), 1.0, False, False, {}


@pytest.mark.parametrize("rule", [{"quantile": 0.6}, {"mean_std": 0.5}, {"max_over": 1.2}])
@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"units": "raw", "kappa": 7.0},
        {"halt_members": "elites"},
        {"on_unknown": "truncate", "disagreement": "std"},
    ],
)
def test_pessimistic_environment_is_the_learned_one_and_the_wrapper(rule: Any, choice: Any) -> None:
    options = toy_options(model=random_ensemble())
    inside = gym.make("PessimisticModel-v0", threshold=rule, **options, **choice)
    outside = HaltOnUnknown(gym.make("LearnedModel-v0", **options, **WHOLE), rule, **choice)
    course = play(inside)
    assert_same_play(course, play(outside))
    assert outside.halt_counter.n_halted == inside.unwrapped.monitor.n_halted > 0  # type: ignore[attr-defined]
    for name in ("n_steps", "n_episodes"):
        assert getattr(outside.halt_counter, name) == getattr(inside.unwrapped.monitor, name)  # type: ignore[attr-defined]


def penalise(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    return UncertaintyPenalty(env, 0.7, penalty="max_disagreement")


def halt(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    return HaltOnUnknown(env, {"quantile": 0.6})


def test_penalty_and_halt_give_the_same_in_every_order() -> None:
    options = toy_options(model=random_ensemble(), **WHOLE)
    penalty: dict[str, Any] = {"penalty_coef": 0.7, "penalty": "max_disagreement"}
    first = play(halt(penalise(gym.make("LearnedModel-v0", **options))))
    assert_same_play(first, play(penalise(halt(gym.make("LearnedModel-v0", **options)))))
    assert_same_play(first, play(halt(gym.make("PenalizedModel-v0", **options, **penalty))))
    assert_same_play(
        first, play(penalise(gym.make("PessimisticModel-v0", threshold={"quantile": 0.6}, **options)))
    )
    halted = [step for step in first if len(step) == 5 and step[4]["halted"]]
    assert halted
    assert all(step[1] == -104.0 and step[4]["penalty"] == 0.0 for step in halted)


def guarded_course(env: gym.Env[Any, Any], n_steps: int = 4) -> list[tuple[float, bool]]:
    env.reset()
    return [(float(step[1]), step[2]) for step in (env.step(ACTION) for _ in range(n_steps))]


def test_a_real_environment_is_guarded() -> None:
    """obs₀ is 0, 1, 2, 3 and known up to 2.5; the reward of the step that leaves the data is real."""
    known = [(1.0, False)] * 3
    assert guarded_course(HaltOnUnknown(Counting(), **GUARD)) == [*known, (1.0, True)]
    assert guarded_course(HaltOnUnknown(Counting(), kappa=30.0, **GUARD)) == [*known, (-34.0, True)]


def test_a_guard_that_leaves_rewards_alone_leaves_penalties_alone() -> None:
    """The uncertainty is obs₀, since members are that far apart."""

    def penalised(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        return UncertaintyPenalty(env, penalty="max_disagreement", model=GUARD["model"])

    expected = [pytest.approx(1.0 - t, abs=1e-5) for t in range(4)]
    for env in (
        penalised(HaltOnUnknown(Counting(), **GUARD)),
        HaltOnUnknown(penalised(Counting()), **GUARD),
    ):
        assert [reward for reward, _ in guarded_course(env)] == expected


def test_a_real_environment_is_cut_where_the_data_end() -> None:
    env = HaltOnUnknown(Counting(), on_unknown="truncate", **GUARD)
    env.reset()
    steps = [env.step(ACTION) for _ in range(4)]
    assert [step[1:4] for step in steps] == [(1.0, False, False)] * 3 + [(1.0, False, True)]
    assert not env.reward_replaced.any()
    with pytest.raises(SettingsError, match="leaves rewards as they are, got kappa=100"):
        HaltOnUnknown(Counting(), on_unknown="truncate", kappa=100.0, **GUARD)


def test_wrapped_environment_is_rebuilt_from_its_spec(toy_dataset: str, toy_model: str) -> None:
    env = gym.make("LearnedModel-v0", dataset=toy_dataset, model=toy_model, termination="never")
    env = HaltOnUnknown(env, {"mean_std": 0.0}, units="raw", kappa=3.0, absorbing=True, gamma=0.5)
    assert env.spec is not None
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert str(again) == str(env)
    assert play(again) == play(env)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": {"median": 1}}, "Unknown threshold rule 'median'"),
        ({"kappa": -1.0}, "kappa must be 0 or more"),
        ({"model": random_ensemble(3)}, "3 observation and 1 action dimensions, but 2 and 1 are needed"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        HaltOnUnknown(gym.make("LearnedModel-v0", **toy_options()), **settings)


def test_a_second_halt_is_refused() -> None:
    once = HaltOnUnknown(gym.make("LearnedModel-v0", **toy_options()))
    for env in (once, penalise(once), gym.make("PessimisticModel-v0", **halting_options())):
        with pytest.raises(SettingsError, match="halted already"):
            HaltOnUnknown(env)


def test_what_a_real_environment_lacks_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="Pass model="):
        HaltOnUnknown(Counting(), dataset=toy_transitions())
    with pytest.raises(SettingsError, match="needs dataset="):
        HaltOnUnknown(Counting(), model=spreading_ensemble())
    with pytest.raises(SettingsError, match="absorbing=True needs kappa="):
        HaltOnUnknown(Counting(), absorbing=True, **GUARD)


def test_data_of_other_dimensions_than_the_model_are_refused() -> None:
    wide = {"obs": np.zeros((9, 3)), "actions": np.zeros((9, 1)), "rewards": np.zeros(9)}
    wide |= {"next_obs": np.zeros((9, 3)), "terminated": np.zeros(9, bool), "truncated": np.zeros(9, bool)}
    with pytest.raises(SettingsError, match="2 observation and 1 action dimensions, but 3 and 1"):
        HaltOnUnknown(gym.make("LearnedModel-v0", **toy_options()), dataset=wide)


def test_other_units_between_wrapper_and_model_are_refused() -> None:
    five = np.full(1, 5, np.float32)
    env = gym.wrappers.RescaleAction(gym.make("LearnedModel-v0", **toy_options()), -five, five)
    with pytest.raises(SettingsError, match="directly"):
        HaltOnUnknown(env)


def test_step_before_reset_is_an_error() -> None:
    env = HaltOnUnknown(gym.make("LearnedModel-v0", **toy_options()))
    env.env.reset()
    with pytest.raises(ResetNeeded):
        env.step(ACTION)
