"""OfflineRL-Kit's training loop around its own agent and buffers."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from offline_envs.sb3.schedule import EPOCH_GRADIENT_STEPS


class KitLoop:
    """What `MBPolicyTrainer.train` of OfflineRL-Kit does, in parts and without its evaluation.

    Args:
        policy: Its agent, around a fitted `EnsembleDynamics`.
        real: Its buffer with the dataset in it.
        fake: Its buffer for model transitions.
        horizon: Steps of a rollout.
        batch: Transitions of a batch.
        real_ratio: Share of them from the dataset, rounded down to whole transitions.

    Attributes:
        transitions: Model transitions collected so far.
    """

    def __init__(
        self, policy: Any, real: Any, fake: Any, *, horizon: int, batch: int, real_ratio: float
    ) -> None:
        self.transitions = 0
        self._policy, self._real, self._fake, self._horizon = policy, real, fake, horizon
        self._n_real = int(batch * real_ratio)
        self._n_fake = batch - self._n_real

    def collect(self, n_starts: int) -> None:
        """Roll out from observations of the dataset, each until it ends or the horizon is reached."""
        starts = self._real.sample(n_starts)["observations"].cpu().numpy()
        rollouts, info = self._policy.rollout(starts, self._horizon)
        self._fake.add_batch(**rollouts)
        self.transitions += info["num_transitions"]

    def learn(self) -> None:
        """Take a gradient step."""
        self._policy.learn({"real": self._real.sample(self._n_real), "fake": self._fake.sample(self._n_fake)})

    def steps(self, total: int, n_starts: int) -> Iterator[int]:
        """Take `total` gradient steps with the rollouts for them; yields how many were taken, after each.

        The actor's learning rate falls along a cosine over all of them, in epochs of 1000.
        """
        epochs = math.ceil(total / EPOCH_GRADIENT_STEPS)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(self._policy.actor_optim, epochs)
        for step in range(total):
            if step % EPOCH_GRADIENT_STEPS == 0:
                self.collect(n_starts)
            self.learn()
            if (step + 1) % EPOCH_GRADIENT_STEPS == 0:
                cosine.step()
            yield step + 1

    def act(self, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The agent's deterministic action for one observation."""
        action: NDArray[np.float32] = self._policy.select_action(obs[None], deterministic=True)[0]
        return action
