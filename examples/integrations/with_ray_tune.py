"""Ray Tune trains an agent for several λ, each in a process of its own.

python examples/integrations/with_ray_tune.py
"""

import tempfile
from pathlib import Path
from typing import Any

from ray import tune

DATASET = "offline-envs/inverteddoublependulum-replay-v0"


def run(config: dict[str, Any]) -> dict[str, float]:
    """One run; what is imported here is imported in the worker."""
    import gymnasium as gym
    import numpy as np
    from stable_baselines3 import SAC
    from stable_baselines3.common.evaluation import evaluate_policy

    model: dict[str, Any] = {"ensemble": {"hidden": [16, 16]}, "fit": {"max_epochs": 1}, "progress": False}
    env = gym.make("offline_envs:PenalizedModel-v0", dataset=DATASET, max_episode_steps=5, **config, **model)
    agent = SAC("MlpPolicy", env, seed=0, policy_kwargs={"net_arch": [16]}).learn(150)
    returns, _ = evaluate_policy(agent, env, 2, warn=False, return_episode_rewards=True)
    return {"model_return": float(np.mean(returns))}


def main() -> None:
    """Tune over two values, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(run, {"cpu": 1}),
            param_space={"penalty_coef": tune.grid_search([0.5, 5.0])},
            tune_config=tune.TuneConfig(metric="model_return", mode="max", max_concurrent_trials=1),
            run_config=tune.RunConfig(storage_path=str(Path(folder).resolve())),
        )
        results = tuner.fit()
        print("Ray Tune:", [(r.config["penalty_coef"], r.metrics["model_return"]) for r in results])
        assert not results.errors
        assert len({r.metrics["model_return"] for r in results}) == 2


if __name__ == "__main__":
    main()
