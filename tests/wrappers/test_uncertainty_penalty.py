from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import SyncVectorEnv

import offline_envs  # noqa: F401  registers the environments
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.errors import SettingsError
from offline_envs.wrappers import HistoryObservation, UncertaintyPenalty, vector
from tests.toy import PENALTIES, toy_ensemble, toy_options

ACTION = np.zeros(1, np.float32)


def random_ensemble(obs_dim: int = 2, seed: int = 0) -> EnsembleDynamics:
    """Make an ensemble whose predictions depend on its inputs."""
    settings = EnsembleSettings(n_members=3, n_elites=2, hidden=(8,))
    return EnsembleDynamics(obs_dim, 1, settings=settings, seed=seed).requires_grad_(False)


def play(env: gym.Env[Any, Any], n_steps: int = 30) -> list[Any]:
    env.reset(seed=3)
    env.action_space.seed(0)
    course: list[Any] = []
    for _ in range(n_steps):
        obs, *rest = env.step(env.action_space.sample())
        course.append([obs.tolist(), *rest])
        if rest[1] or rest[2]:
            course.append(env.reset()[0].tolist())
    return course


def assert_same_play(first: Any, second: Any) -> None:
    """Compare results of `play`: on some processors a product of one member rounds unlike one of all."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert list(first) == list(second)
        first, second = list(first.values()), list(second.values())
    if isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same_play(one, other)
    else:
        assert first == pytest.approx(second, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("penalty", "members"), PENALTIES)
def test_penalised_environment_is_the_learned_one_and_the_wrapper(penalty: str, members: str) -> None:
    options = toy_options(model=random_ensemble())
    choice: dict[str, Any] = {"penalty_coef": 0.7, "penalty": penalty, "penalty_members": members}
    inside = gym.make("PenalizedModel-v0", **options, **choice)
    outside = UncertaintyPenalty(gym.make("LearnedModel-v0", **options), **choice)
    assert_same_play(play(inside), play(outside))


def test_also_where_predictions_explode() -> None:
    ensemble = toy_ensemble(stds=((1.0, 30.0, 30.0),) * 3)
    inside = gym.make("PenalizedModel-v0", **toy_options(model=ensemble))
    outside = UncertaintyPenalty(gym.make("LearnedModel-v0", **toy_options(model=ensemble)))
    assert_same_play(play(inside), play(outside))
    assert inside.unwrapped.n_exploded > 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(("penalty", "members"), PENALTIES)
def test_in_units_of_the_data_too(penalty: str, members: str) -> None:
    """Members that predict the same everywhere cost λ everywhere."""
    choice: dict[str, Any] = {"penalty": penalty, "penalty_members": members, "penalty_scale": "data"}
    options = toy_options()
    for env in (
        gym.make("PenalizedModel-v0", penalty_coef=0.7, **options, **choice),
        UncertaintyPenalty(gym.make("LearnedModel-v0", **options), 0.7, **choice),
    ):
        env.reset(seed=0)
        assert env.step(ACTION)[4]["penalty"] == pytest.approx(0.7, rel=1e-6)


def test_a_real_environment_needs_the_data_for_their_unit() -> None:
    data = {"obs": np.zeros((9, 3)), "actions": np.zeros((9, 1)), "rewards": np.zeros(9)}
    data |= {"next_obs": np.zeros((9, 3)), "terminated": np.zeros(9, bool), "truncated": np.zeros(9, bool)}
    ensemble = random_ensemble(obs_dim=3)
    with pytest.raises(SettingsError, match="penalty_scale='data' needs dataset="):
        UncertaintyPenalty(gym.make("Pendulum-v1"), model=ensemble, penalty_scale="data")
    with pytest.raises(SettingsError, match="dataset= is for penalty_scale='data' and 'reward'"):
        UncertaintyPenalty(gym.make("Pendulum-v1"), model=ensemble, dataset=data)
    env = UncertaintyPenalty(gym.make("Pendulum-v1"), 0.5, model=ensemble, penalty_scale="data", dataset=data)
    env.reset(seed=0, options=None)
    env._obs = torch.zeros(1, 3)  # where all of the data are
    assert env.step(ACTION)[4]["penalty"] == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize(("penalty", "members"), PENALTIES)
def test_penalty_by_hand(penalty: str, members: str) -> None:
    env = UncertaintyPenalty(
        gym.make("LearnedModel-v0", **toy_options()), 2.0, penalty=penalty, penalty_members=members
    )
    env.reset(seed=0)
    _, reward, _, _, info = env.step(ACTION)
    assert info["penalty"] == pytest.approx(2 * PENALTIES[penalty, members], rel=1e-6)
    assert reward == pytest.approx(info["raw_reward"] - info["penalty"], abs=1e-5)
    assert type(reward) is float


def test_two_wrappers_add_up() -> None:
    env = UncertaintyPenalty(gym.make("PenalizedModel-v0", **toy_options()), penalty="max_deviation")
    env.reset(seed=0)
    _, reward, _, _, info = env.step(ACTION)
    assert info["penalty"] == pytest.approx(7 + 4)
    assert reward == pytest.approx(info["raw_reward"] - 11, abs=1e-5)


def test_measures_a_real_environment_in_double_precision() -> None:
    ensemble = random_ensemble(obs_dim=3)
    real = gym.make("Pendulum-v1")
    env = UncertaintyPenalty(gym.make("Pendulum-v1"), 0.1, model=ensemble)
    assert np.array_equal(real.reset(seed=0)[0], env.reset(seed=0)[0])
    for _ in range(5):
        action = np.array([0.5], np.float32)
        obs, reward, *_ = real.step(action)
        penalised_obs, penalised, _, _, info = env.step(action)
        assert np.array_equal(obs, penalised_obs)
        assert info["raw_reward"] == reward
        assert penalised == float(reward) - info["penalty"]
        assert 0 < info["penalty"] < 10


def test_takes_the_observation_before_the_step() -> None:
    """A pendulum's penalty is that of where it was, also if somebody overwrote the array meanwhile."""
    ensemble = random_ensemble(obs_dim=3)
    courses = []
    for spoil in (False, True):
        env = UncertaintyPenalty(gym.make("Pendulum-v1"), model=ensemble)
        obs, _ = env.reset(seed=0)
        penalties = []
        for _ in range(3):
            if spoil:
                obs[:] = 99
            obs, *_, info = env.step(np.array([2.0], np.float32))
            penalties.append(info["penalty"])
        courses.append(penalties)
    assert courses[0] == courses[1]
    assert len(set(courses[0])) == 3


def test_wrapped_environment_is_rebuilt_from_its_spec(toy_dataset: str, toy_model: str) -> None:
    env = gym.make("LearnedModel-v0", dataset=toy_dataset, model=toy_model, termination="never")
    env = UncertaintyPenalty(env, 2.0, penalty="ensemble_std", penalty_members="elites")
    assert env.spec is not None
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert str(again) == str(env)
    assert play(again) == play(env)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"penalty": "variance"},
            "'variance'. Valid: ensemble_std, max_deviation, max_disagreement, max_std.",
        ),
        ({"penalty_members": "some"}, "Unknown penalty_members 'some'. Valid: all, elites."),
        ({"penalty_coef": -1.0}, "penalty_coef must be 0 or more, got -1.0."),
        ({"penalty_coef": float("inf")}, "penalty_coef must be finite, got inf."),
        ({"penalty_coef": float("nan")}, "penalty_coef must be finite, got nan."),
        ({"model": random_ensemble(3)}, "3 observation and 1 action dimensions, but 2 and 1 are needed"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        UncertaintyPenalty(gym.make("LearnedModel-v0", **toy_options()), **settings)


def test_an_environment_without_a_model_is_refused() -> None:
    with pytest.raises(SettingsError, match="Pass model="):
        UncertaintyPenalty(gym.make("Pendulum-v1"))
    with pytest.raises(SettingsError, match="4 observation and 1 action dimensions, but 4 and 2 are needed"):
        UncertaintyPenalty(gym.make("CartPole-v1"), model=random_ensemble(4))
    with pytest.raises(SettingsError, match="observation space must be a Box of one dimension"):
        UncertaintyPenalty(gym.make("FrozenLake-v1"), model=random_ensemble(4))


def test_other_units_between_wrapper_and_model_are_refused() -> None:
    """The model would be asked about an action that it never saw, and nobody would notice."""
    five = np.full(1, 5, np.float32)
    env = gym.wrappers.RescaleAction(gym.make("LearnedModel-v0", **toy_options()), -five, five)
    with pytest.raises(SettingsError, match="directly"):
        UncertaintyPenalty(env)


def test_step_before_reset_is_an_error() -> None:
    env = UncertaintyPenalty(gym.make("LearnedModel-v0", **toy_options()))
    env.env.reset()
    with pytest.raises(ResetNeeded):
        env.step(ACTION)


def test_a_model_of_a_history_measures_environments_that_have_it() -> None:
    """Learned ones, and real ones in the wrapper, single and vector: as the learned environment's own."""
    settings = EnsembleSettings(n_members=3, n_elites=2, hidden=(4,))
    model = EnsembleDynamics(2, 4, settings=settings, seed=0).requires_grad_(False)
    learned = gym.make("LearnedModel-v0", history=2, **toy_options(model=model))
    given = [UncertaintyPenalty(learned, model=found) for found in (None, model)]
    for env in given:
        env.reset(seed=0)
    first, second = (env.step(np.zeros(1, np.float32))[4]["penalty"] for env in given)
    assert first == second > 0
    longer = EnsembleDynamics(9, 11, settings=settings, seed=0).requires_grad_(False)
    real = HistoryObservation(gym.make("InvertedDoublePendulum-v5"), 2)
    UncertaintyPenalty(real, model=longer).reset(seed=0)
    envs = vector.HistoryObservation(SyncVectorEnv([lambda: gym.make("InvertedDoublePendulum-v5")] * 2), 2)
    vector.UncertaintyPenalty(envs, model=longer).reset(seed=0)
