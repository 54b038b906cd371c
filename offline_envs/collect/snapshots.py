"""Policies kept during a training, one of which is rolled out afterwards."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy

from offline_envs.collect.recorded_phase import damaged_checkpoint
from offline_envs.collect.settings import Kind
from offline_envs.files import read_arrays

N_SNAPSHOTS = 20  # policies kept during a training
N_EVALUATION_EPISODES = 5  # averaged for the return of each
MEDIUM_SHARE = 1 / 3  # of the way from random to best, D4RL's "medium"


@dataclass(frozen=True)
class Snapshot:
    """A policy at one moment of its training.

    Attributes:
        steps: Environment steps trained so far.
        mean_return: Mean undiscounted return of the deterministic policy.
        weights: State dict of the policy.
    """

    steps: int
    mean_return: float
    weights: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write the snapshot to its own file."""
        arrays = {name: weight.numpy() for name, weight in self.weights.items()}
        np.savez(folder / f"snapshot-{self.steps:010}.npz", mean_return=self.mean_return, **arrays)


def read_snapshots(folders: list[Path]) -> list[Snapshot]:
    """Read all snapshots in some folders, in order.

    Raises:
        CheckpointError: A file is damaged.
    """
    paths = [path for folder in folders for path in sorted(folder.glob("snapshot-*.npz"))]
    return [_read(path) for path in paths]


def choose_snapshot(snapshots: list[Snapshot], kind: Kind, *, random_return: float) -> Snapshot:
    """Choose the best policy for `expert`, or the one nearest to a third of the way there for `medium`.

    Args:
        snapshots: Policies of one training, at least one.
        kind: `expert` or `medium`.
        random_return: Mean return of uniform actions, where the way to the best policy begins.
    """
    best = max(snapshots, key=lambda snapshot: snapshot.mean_return)
    if kind is Kind.EXPERT:
        return best
    target = random_return + MEDIUM_SHARE * (best.mean_return - random_return)
    return min(snapshots, key=lambda snapshot: abs(snapshot.mean_return - target))


class SnapshotCallback(BaseCallback):
    """Evaluate and keep the policy about 20 times during a training, always from the same starts.

    Args:
        eval_env: Environment to evaluate in, not the one trained in.
        steps: Length of the whole training.
        seed: Seed of the first start of every evaluation.
        taken: Snapshots of the same training before it was interrupted.
    """

    def __init__(self, eval_env: gym.Env[Any, Any], *, steps: int, seed: int, taken: list[Snapshot]) -> None:
        super().__init__()
        self.snapshots = list(taken)
        self._n_written = len(taken)
        self._eval_env, self._seed = eval_env, seed
        self._every = max(1, steps // N_SNAPSHOTS)

    def write(self, folder: Path) -> None:
        """Write the snapshots that are not written yet."""
        for snapshot in self.snapshots[self._n_written :]:
            snapshot.write(folder)
        self._n_written = len(self.snapshots)

    def _on_training_start(self) -> None:
        if not self.snapshots:
            self._take()

    def _on_step(self) -> bool:
        if self.num_timesteps % self._every == 0:
            self._take()
        return True

    def _take(self) -> None:
        self._eval_env.reset(seed=self._seed)
        mean_return, _ = evaluate_policy(
            self.model, self._eval_env, n_eval_episodes=N_EVALUATION_EPISODES, warn=False
        )
        assert isinstance(mean_return, float | np.floating)
        weights = {name: weight.clone() for name, weight in self.model.policy.state_dict().items()}
        self.snapshots.append(Snapshot(self.num_timesteps, float(mean_return), weights))


def _read(path: Path) -> Snapshot:
    try:
        arrays = read_arrays(path)
    except (OSError, ValueError) as error:
        raise damaged_checkpoint(path.parent, error) from error
    mean_return = float(arrays.pop("mean_return"))
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return Snapshot(int(path.stem.rpartition("-")[2]), mean_return, weights)
