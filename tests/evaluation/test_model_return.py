from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from offline_envs.evaluation.model_return import ReturnPredictor, model_return
from tests.toy import counting_ensemble, halting_options, toy_options


class ChosenStarts:
    def __init__(self, *obs: tuple[float, float]) -> None:
        self.obs = torch.tensor(obs)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        assert n == len(self.obs)
        return self.obs


class Idle:
    """A policy that does nothing, and notes for how many rows it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        assert deterministic
        self.asked.append(len(observation))
        return np.zeros((len(observation), 1), np.float32), None


def beyond_six(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del obs, action  # Unused.
    return next_obs[:, 0] > 6.5  # Half a step away from the counts, for their noise.


@pytest.fixture
def learned() -> Any:
    """A penalised model that pays 1 a step, counts obs₀ up, and ends when it has passed six."""
    options = toy_options(model=counting_ensemble(), termination=beyond_six)
    return gym.make_vec("PenalizedModel-v0", num_envs=1, penalty_coef=10.0, **options).unwrapped


def test_returns_of_episodes_that_end_by_themselves(learned: Any) -> None:
    """From 0 seven steps of reward 1 pass six, from 3 four, from 6 one; penalties do not count."""
    policy, starts = Idle(), ChosenStarts((0, 0), (3, 0), (6, 0))
    returns = model_return(learned.mdp, starts, policy, n_episodes=3, max_steps=100, seed=0)
    assert returns == pytest.approx([7, 4, 1], abs=1e-4)
    assert policy.asked == [3, 2, 2, 2, 1, 1, 1]


def test_the_clock_cuts_episodes(learned: Any) -> None:
    starts = ChosenStarts((0, 0), (5, 0))
    returns = model_return(learned.mdp, starts, Idle(), n_episodes=2, max_steps=3, seed=0)
    assert returns == pytest.approx([3, 2], abs=1e-4)


def test_the_predictor_starts_where_episodes_do(learned: Any) -> None:
    """The dataset's three episodes start with obs₀ = 0 and last three steps."""
    no_limit: Any = SimpleNamespace(spec=None)
    assert ReturnPredictor(learned, Idle(), no_limit).mean(5) == pytest.approx(3, abs=1e-4)
    limit: Any = SimpleNamespace(spec=SimpleNamespace(max_episode_steps=5))
    assert ReturnPredictor(learned, Idle(), limit).mean(5) == pytest.approx(5, abs=1e-4)


def test_halts_do_not_shorten_the_forecast() -> None:
    """It is of the real return, and the real environment halts nobody: 7 steps from 0 pass six, not 4."""
    options = halting_options(termination=beyond_six)
    learned: Any = gym.make_vec("PessimisticModel-v0", num_envs=1, **options).unwrapped
    real = SimpleNamespace(spec=SimpleNamespace(max_episode_steps=100))
    assert ReturnPredictor(learned, Idle(), real).mean(3) == pytest.approx(7, abs=1e-4)  # type: ignore[arg-type]
