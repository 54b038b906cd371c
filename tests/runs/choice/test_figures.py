from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import SAC

from offline_envs.evaluation import ReturnPredictor
from offline_envs.runs.choice.figures import CHOICES
from offline_envs.sb3 import FastSAC, SB3VecEnv
from tests.toy import counting_ensemble, halting_options, quiet_ensemble, toy_options


class Idle:
    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        assert deterministic
        return np.zeros((len(observation), 1), np.float32), None


class FiveSteps:
    """Stands for a real environment whose episodes take five steps."""

    class spec:  # noqa: N801
        max_episode_steps = 5


def predictor_of(env_id: str, agent: Any = None, **options: Any) -> ReturnPredictor:
    learned: Any = gym.make_vec(env_id, num_envs=1, **options).unwrapped
    return ReturnPredictor(learned, agent or Idle(), FiveSteps())  # type: ignore[arg-type]


def figures(predictor: ReturnPredictor, agent: Any = None) -> dict[str, float]:
    return {name: CHOICES[name](predictor, agent) for name in ("model", "model_raw")}


def test_penalties_count_in_one_figure_and_not_in_the_other() -> None:
    """Elites pay 4 and 1 a step; member 1 is 4 from the average of the means, at a coefficient of 1/2."""
    options = toy_options(model=quiet_ensemble())
    own = {"penalty": "max_deviation", "penalty_coef": 0.5}
    found = figures(predictor_of("PenalizedModel-v0", **options, **own))
    assert found["model"] == pytest.approx(5 * (2.5 - 2), abs=1e-3)
    assert 5 <= found["model_raw"] <= 20


def test_halts_count_with_their_reward() -> None:
    """From obs₀ = 0 the fourth step of five is halted, at the lowest reward −4, less 100."""
    found = figures(predictor_of("PessimisticModel-v0", **halting_options()))
    assert found == pytest.approx({"model": 3 - 104, "model_raw": 5}, abs=1e-3)


def test_the_critics_value_is_the_smaller_one_at_first_observations() -> None:
    envs = gym.make_vec("LearnedModel-v0", num_envs=1, **toy_options(model=counting_ensemble()))
    agent = SAC("MlpPolicy", SB3VecEnv(envs), policy_kwargs={"net_arch": [8]}, device="cpu", seed=0)
    predictor = predictor_of("LearnedModel-v0", agent, **toy_options(model=counting_ensemble()))
    obs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    assert torch.equal(predictor.initial_obs, obs)
    with torch.no_grad():
        scaled = agent.policy._predict(obs, deterministic=True)
        both = torch.cat(agent.critic(obs, scaled), dim=1)
    assert CHOICES["critics"](predictor, agent) == pytest.approx(float(both.amin(1).mean()))


def test_the_critics_value_is_that_of_the_average_where_the_agent_acts_by_it() -> None:
    envs = gym.make_vec("LearnedModel-v0", num_envs=1, **toy_options(model=counting_ensemble()))
    agent = FastSAC(
        "MlpPolicy",
        SB3VecEnv(envs),
        policy_kwargs={"net_arch": [8]},
        actor_ema_decay=0.9,
        device="cpu",
        seed=0,
    )
    predictor = predictor_of("LearnedModel-v0", agent, **toy_options(model=counting_ensemble()))
    before = CHOICES["critics"](predictor, agent)
    policy: Any = agent.policy
    policy.start_average()
    assert CHOICES["critics"](predictor, agent) == before
    obs = predictor.initial_obs
    with torch.no_grad():
        for weights in policy.averaged.mu.parameters():
            weights.add_(1.0)
        both = torch.cat(agent.critic(obs, policy.averaged._predict(obs, deterministic=True)), dim=1)
    assert CHOICES["critics"](predictor, agent) == pytest.approx(float(both.amin(1).mean())) != before
