"""Optuna chooses λ and the horizon by what the model predicts of the trained policy.

python examples/integrations/with_optuna.py
"""

from typing import Any

import gymnasium as gym
import numpy as np
import optuna
from stable_baselines3 import SAC
from stable_baselines3.common.evaluation import evaluate_policy

DATASET = "offline-envs/inverteddoublependulum-replay-v0"
# One ensemble for all trials: it is fitted once and then read from the cache.
MODEL: dict[str, Any] = {"ensemble": {"hidden": [16, 16]}, "fit": {"max_epochs": 1}, "progress": False}


def score(trial: optuna.Trial) -> float:
    """Train in a pessimistic environment, and return the policy's score in the plain one."""
    coef = trial.suggest_float("penalty_coef", 0.5, 5.0, log=True)
    horizon = trial.suggest_int("horizon", 1, 20)
    env = gym.make(
        "offline_envs:PenalizedModel-v0",
        dataset=DATASET,
        penalty_coef=coef,
        max_episode_steps=horizon,
        **MODEL,
    )
    agent = SAC("MlpPolicy", env, seed=0, policy_kwargs={"net_arch": [16]}).learn(150)
    judge = gym.make("offline_envs:LearnedModel-v0", dataset=DATASET, max_episode_steps=50, **MODEL)
    returns, _ = evaluate_policy(agent, judge, 2, warn=False, return_episode_rewards=True)
    return float(np.mean(returns))


def main() -> None:
    """Run three trials."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(score, n_trials=3)
    print("Optuna:", study.best_params, study.best_value)
    assert len({trial.value for trial in study.trials}) == 3


if __name__ == "__main__":
    main()
