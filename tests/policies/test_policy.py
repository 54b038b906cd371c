from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.policies import Predictor, PredictPolicy, TensorPolicy, as_policy


class Double(TensorPolicy):
    def __call__(self, obs: Tensor, /) -> Tensor:
        return 2 * obs[:, :1]


class Halved:
    """Anything with SB3's `predict`."""

    def __init__(self) -> None:
        self.asked: list[bool] = []

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        assert isinstance(observation, np.ndarray)
        self.asked.append(deterministic)
        return observation[..., :1] / 2, None


def test_a_function_of_tensors_is_a_policy_as_it_is() -> None:
    def act(obs: Tensor) -> Tensor:
        return obs

    assert as_policy(act) is act
    double = Double()
    assert as_policy(double) is double


def test_what_predicts_acts_on_tensors() -> None:
    halved = Halved()
    assert isinstance(halved, Predictor)
    action = as_policy(halved)(torch.tensor([[4.0, 1.0], [6.0, 1.0]]))
    assert action.tolist() == [[2.0], [3.0]]
    assert action.dtype == torch.float32
    PredictPolicy(halved, deterministic=False)(torch.zeros(1, 2))
    assert halved.asked == [True, False]


def test_an_agent_and_its_policy_act_by_predict() -> None:
    """SB3's policies are torch modules, whose call gives something else than actions."""
    agent = SAC("MlpPolicy", "Pendulum-v1", device="cpu", seed=0)
    obs = torch.zeros(4, 3)
    expected = agent.predict(obs.numpy(), deterministic=True)[0]
    for source in (agent, agent.policy):
        np.testing.assert_array_equal(as_policy(source)(obs).numpy(), expected)


def test_a_policy_of_tensors_predicts_one_observation_or_a_batch() -> None:
    double = Double()
    assert isinstance(double, Predictor)
    assert double.predict(np.array([3.0, 0.0]))[0].tolist() == [6.0]
    assert double.predict(np.array([[3.0, 0.0], [1.0, 0.0]]), deterministic=True)[0].tolist() == [
        [6.0],
        [2.0],
    ]


def test_anything_else_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"must be a function .* or have predict.* got list"):
        as_policy([1, 2])
