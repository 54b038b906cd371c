"""`CHOICES`: by which figure a run chooses its policy among those that it evaluates."""

from collections.abc import Callable

import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.evaluation import ReturnPredictor
from offline_envs.registry import Registry
from offline_envs.sb3 import SB3ActorCritic

LAST = "last"
"""The choice that chooses nothing: a run ends with its last policy."""

Figure = Callable[[ReturnPredictor, BaseAlgorithm], float]
"""A figure of an agent's current policy, higher is better, from the forecasts of its model and the agent."""


def pessimistic_return(predictor: ReturnPredictor, agent: BaseAlgorithm) -> float:
    """Return in the run's own learned MDP: penalties and halts count, each elite has its own episodes."""
    del agent  # The predictor has it.
    return predictor.pessimistic_mean()


def raw_return(predictor: ReturnPredictor, agent: BaseAlgorithm) -> float:
    """Return without pessimism, the `predicted_return` of `metrics.csv`."""
    del agent  # The predictor has it.
    return predictor.mean()


def critics_value(predictor: ReturnPredictor, agent: BaseAlgorithm) -> float:
    """Mean of min_j Q_j(s₀, π(s₀)) over the data's initial observations: it falls as critics disagree."""
    obs = predictor.initial_obs
    chosen, _ = agent.predict(obs.cpu().numpy(), deterministic=True)  # by the average, if it acts by one
    action = torch.as_tensor(chosen, device=obs.device)
    return float(SB3ActorCritic(agent).action_value(obs, action).mean())


CHOICES: Registry[Figure] = Registry(
    "choose", {"model": pessimistic_return, "model_raw": raw_return, "critics": critics_value}
)
"""Every figure by the name that `choose` takes, beside `"last"`. None of them asks the real environment."""
