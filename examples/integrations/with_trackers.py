"""Weights & Biases and MLflow beside a training in a learned environment, both offline.

W&B copies what Stable-Baselines3 writes for TensorBoard; MLflow is given the figures by a callback.

    python examples/integrations/with_trackers.py
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import mlflow
import wandb
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.sb3 import SB3VecEnv

SETTINGS: dict[str, Any] = {
    "dataset": "offline-envs/inverteddoublependulum-replay-v0",
    "penalty_coef": 1.0,
    "max_episode_steps": 5,
    "ensemble": {"hidden": [16, 16]},
    "fit": {"max_epochs": 1},
    "progress": False,
}


class ToMLflow(BaseCallback):
    """Gives MLflow the mean return of imagined episodes after every rollout."""

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        episodes = self.model.ep_info_buffer
        if episodes:
            mlflow.log_metric(
                "model_return", sum(e["r"] for e in episodes) / len(episodes), self.num_timesteps
            )


def main() -> None:
    """Train with both trackers, and find what they wrote."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WANDB_MODE"] = "offline"
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        run = wandb.init(project="dreams", dir=folder, config=SETTINGS, sync_tensorboard=True)
        envs = SB3VecEnv(gym.make_vec("offline_envs:PenalizedModel-v0", num_envs=8, **SETTINGS))
        agent = SAC("MlpPolicy", envs, seed=0, tensorboard_log=folder, policy_kwargs={"net_arch": [16]})
        with mlflow.start_run() as mlflow_run:
            mlflow.log_params(SETTINGS)
            agent.learn(240, callback=ToMLflow())
        figures = mlflow.MlflowClient().get_metric_history(mlflow_run.info.run_id, "model_return")
        run.finish()
        files = [*Path(folder).rglob("*.wandb")]
        print(f"MLflow has {len(figures)} figures, W&B {files[0].stat().st_size} bytes")
        assert len(figures) > 5
        assert files[0].stat().st_size > 1000


if __name__ == "__main__":
    main()
