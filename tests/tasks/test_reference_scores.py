"""Scores calculated by hand, and the measured references measured again."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.errors import SettingsError
from offline_envs.tasks import REFERENCE_SCORES, ReferenceScore, normalized_score, reference_score

N_EPISODES = 300


@pytest.mark.parametrize(
    ("env_id", "at_25", "at_75"),
    [
        ("HalfCheetah-v5", 2823.62, 9031.21),
        ("Hopper-v4", 793.37, 2420.66),
        ("Walker2d-v5", 1149.30, 3444.63),
        ("Ant-v4", 725.73, 2828.38),
    ],
)
def test_quarters_of_the_d4rl_scale(env_id: str, at_25: float, at_75: float) -> None:
    assert normalized_score(env_id, at_25) == pytest.approx(25.0, abs=1e-3)
    assert normalized_score(env_id, at_75) == pytest.approx(75.0, abs=1e-3)


@pytest.mark.parametrize("env_id", sorted(REFERENCE_SCORES))
def test_random_is_zero_and_expert_a_hundred(env_id: str) -> None:
    reference = reference_score(env_id)
    assert reference is not None
    assert reference.random < reference.expert
    assert env_id in gym.registry
    scores = normalized_score(env_id, np.array([[reference.random], [reference.expert]], dtype=np.float32))
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, [[0.0], [100.0]], atol=1e-4)


def test_a_number_gives_a_float() -> None:
    assert type(normalized_score("Hopper-v5", 100)) is float
    assert type(normalized_score("Hopper-v5", np.float32(100.0))) is float


def test_d4rl_constants_say_for_which_version_they_are_nominal() -> None:
    for version in ("v4", "v5"):
        assert REFERENCE_SCORES[f"Hopper-{version}"] == ReferenceScore(
            -20.272305,
            3234.3,
            f"D4RL v0-v2 constants, measured in Gym v2 environments; nominal for {version}",
        )


@pytest.mark.parametrize("env_id", ["Hopper-v3", "hopper", "Reacher-v5"])
def test_unknown_ids_are_refused_with_the_known_ones(env_id: str) -> None:
    assert reference_score(env_id) is None
    with pytest.raises(SettingsError, match=rf"{env_id}.*Valid: Ant-v4.*Walker2d-v5"):
        normalized_score(env_id, 1.0)


@pytest.mark.parametrize("env_id", ["InvertedPendulum-v5", "InvertedDoublePendulum-v5"])
def test_random_return_is_measured_again(make_env: Callable[..., gym.Env[Any, Any]], env_id: str) -> None:
    env = make_env(env_id)
    env.action_space.seed(1)
    returns = []
    for episode in range(N_EPISODES):
        env.reset(seed=20_000 + episode)
        returns.append(0.0)
        ended = False
        while not ended:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            returns[-1] += float(reward)
            ended = terminated or truncated
    standard_error = np.std(returns) / np.sqrt(N_EPISODES)
    assert abs(np.mean(returns) - REFERENCE_SCORES[env_id].random) < 4 * standard_error


def test_double_pendulum_at_rest_earns_the_expert_return(
    make_env: Callable[..., gym.Env[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator: Any = make_env("InvertedDoublePendulum-v5").unwrapped
    monkeypatch.setattr(simulator, "do_simulation", lambda action, n_frames: None)
    simulator.set_state(np.zeros(3), np.zeros(3))
    reward = simulator.step(np.zeros(1))[1]
    assert 1000 * reward == pytest.approx(REFERENCE_SCORES["InvertedDoublePendulum-v5"].expert)


def test_lists_and_tensors_are_scored_like_arrays() -> None:
    array = normalized_score("Hopper-v5", np.array([100.0, 3000.0]))
    tensor: Any = torch.tensor([100.0, 3000.0])
    for returns in ([100.0, 3000.0], tensor):
        np.testing.assert_array_equal(normalized_score("Hopper-v5", returns), array)
    assert normalized_score("Hopper-v5", tensor[0]) == array[0]
