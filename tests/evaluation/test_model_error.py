from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, MaskedModel
from offline_envs.evaluation import (
    ModelError,
    chunks,
    evaluate_in,
    evaluate_with_error,
    one_step_error,
    prediction_error,
)
from tests.toy import counting_ensemble, toy_ensemble


class CountingEnv(gym.Env[Any, Any]):
    """What `counting_ensemble` predicts: reward 1, and obs₀ one more at every step, four times."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.obs = np.zeros(2)
        return self.obs, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.obs = self.obs + np.array([1, 0])
        return self.obs, 1.0, False, self.obs[0] == 4, {}


def idle(obs: Any) -> Any:
    del obs  # Unused.
    return np.zeros(1, np.float32)


def test_a_perfect_model_makes_no_error() -> None:
    result, found = evaluate_with_error(
        CountingEnv(),
        idle,
        counting_ensemble(),
        penalty="max_std",
        penalty_members="all",
        n_episodes=3,
        seed=0,
    )
    assert found.error.tolist() == [0] * 12
    assert found.uncertainty == pytest.approx(np.full(12, 3**0.5 * 1e-6), rel=1e-3)
    expected = evaluate_in(CountingEnv(), idle, n_episodes=3)
    assert (result.returns.tolist(), result.lengths.tolist()) == ([4] * 3, expected.lengths.tolist())


@pytest.mark.parametrize(("members", "uncertainty"), [("all", 7.0), ("elites", 3.0)])
def test_the_error_is_that_of_the_elites_mean(
    members: str, uncertainty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The elites predict (−1.5, 0) and (1.5, 0): nothing moves on average, so the error is the true move."""
    monkeypatch.setattr(chunks, "CHUNK", 2)
    obs = torch.tensor([[0.0, 0], [1, 1], [2, 2]])
    move = torch.tensor([[3.0, 4], [0, 1], [0, 0]])
    found = one_step_error(
        toy_ensemble(), obs, torch.zeros(3, 1), obs + move, penalty="max_std", penalty_members=members
    )
    assert found.error.tolist() == [5, 1, 0]
    assert found.uncertainty == pytest.approx([uncertainty] * 3)
    assert found.rank_correlation is None


def test_known_columns_have_no_error() -> None:
    """No step takes the reward and obs₁ from the model, so what it misses of (3, 4) is 3."""
    model = MaskedModel(toy_ensemble(), [0, 2])
    obs, actions, moved = torch.zeros(1, 2), torch.zeros(1, 1), torch.tensor([[3.0, 4]])
    found = one_step_error(model, obs, actions, moved, penalty="max_std")
    assert found.error.tolist() == [3]
    assert prediction_error(model, obs, actions, torch.zeros(1), moved).error.tolist() == [3]


def test_the_rank_correlation_by_hand() -> None:
    """Spearman: 1 − 6 Σd² / (n(n² − 1)) = 1 − 6·2 / 60."""
    found = ModelError(np.array([1, 20, 30, 400], np.float32), np.array([0.1, 0.3, 0.2, 9], np.float32))
    assert found.rank_correlation == pytest.approx(0.8)


def test_a_prediction_error_is_that_of_the_elites_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The elites predict rewards 4 ± 1 and 1 ± 1, and on average no move."""
    monkeypatch.setattr(chunks, "CHUNK", 2)
    obs, move = torch.tensor([[0.0, 0], [1, 1], [2, 2]]), torch.tensor([[3.0, 4], [0, 1], [0, 0]])
    found = prediction_error(toy_ensemble(), obs, torch.zeros(3, 1), torch.tensor([2.5, 4, 1]), obs + move)
    assert found.error.tolist() == [5, 1, 0]
    assert found.quantile is not None
    assert found.quantile[0, 0].item() == pytest.approx(0.5)
    assert found.quantile[1, 0].item() == pytest.approx((0.5 + 0.9986501) / 2)  # Φ(0) and Φ(3)


def test_deterministic_members_have_no_intervals() -> None:
    plain = EnsembleDynamics(2, 1, settings=EnsembleSettings(probabilistic=False, hidden=(4,)))
    found = prediction_error(plain, torch.zeros(2, 2), torch.zeros(2, 1), torch.zeros(2), torch.zeros(2, 2))
    assert found.quantile is None
