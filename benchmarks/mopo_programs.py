"""MOPO by this package and by OfflineRL-Kit, each with stopwatches around its parts."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import MagicMock

import gymnasium as gym
import torch
from kit_loop import KitLoop
from peers import kit_buffer, kit_sac, kit_unfitted
from run_shares import BATCH, REAL_RATIO, learn
from timing import Stopwatch, finished, seconds_of, timed, watch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions
from offline_envs.dynamics import FitSettings, fit
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv, agent_class, mopo_schedule, with_device_rollouts
from offline_envs.sb3.schedule import EPOCH_GRADIENT_STEPS, RETAINED_EPOCHS, ROLLOUT_STARTS

HORIZON = 5
STARTS = ROLLOUT_STARTS // EPOCH_GRADIENT_STEPS
"""Rollouts started a gradient step."""

RATIO = STARTS * HORIZON
"""Model transitions a gradient step."""

WARM_UP = 10
"""Gradient steps of the first cycle, which is not counted."""

STEP_PARTS = ("model rollouts", "buffer", "policy", "gradient", "rest")
"""Parts that grow with the number of gradient steps; load and fit do not."""


class Program(ABC):
    """One program's MOPO on a dataset, fitted and trained in turn with another's.

    Args:
        loading: Seconds that it took to have the dataset.

    Attributes:
        epochs: Epochs fitted so far.
        steps: Gradient steps taken so far.
        transitions: Model transitions collected for them.
    """

    def __init__(self, loading: float) -> None:
        self.epochs = self.steps = self.transitions = 0
        self._loading = loading
        self._fitting = self._training = 0.0
        self._watches: dict[str, list[Stopwatch]] | None = None

    @abstractmethod
    def _fit_epoch(self) -> None:
        """Fit a new ensemble for one epoch, and keep it."""

    @abstractmethod
    def _make(self) -> None:
        """Make agent and buffers around the ensemble."""

    @abstractmethod
    def _watch(self) -> dict[str, list[Stopwatch]]:
        """Put stopwatches around the parts."""

    @abstractmethod
    def _train(self, steps: int) -> tuple[int, int]:
        """Take about that many gradient steps; give their number and that of the model transitions."""

    def fit_epoch(self) -> None:
        """Fit for one epoch, timed."""
        self._fitting += seconds_of(self._fit_epoch)
        self.epochs += 1

    def train(self, steps: int) -> None:
        """Take gradient steps, timed, after a first cycle that is not counted."""
        if self._watches is None:
            self._make()
            self._train(WARM_UP)
            self._watches = self._watch()
        (steps, transitions), seconds = timed(lambda: self._train(steps))
        self._training += seconds
        self.steps += steps
        self.transitions += transitions

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of each part so far."""
        assert self._watches is not None
        parts = {name: sum(w.seconds for w in watches) for name, watches in self._watches.items()}
        parts = {**parts, "gradient": parts["gradient"] - self._nested_seconds()}
        rest = self._training - sum(parts.values())
        return {"load": self._loading, "fit": self._fitting, **parts, "rest": rest}

    def _nested_seconds(self) -> float:
        """Seconds that the stopwatch of the gradient counts and another part does, too."""
        return 0.0

    def extrapolated(self, epochs: int, steps: int) -> dict[str, float]:
        """Seconds of each part for other numbers of epochs and gradient steps."""
        scale = dict.fromkeys(STEP_PARTS, steps / self.steps) | {"fit": epochs / self.epochs}
        return {part: spent * scale.get(part, 1.0) for part, spent in self.seconds.items()}


class OwnProgram(Program):
    """This package: its fit, its vector environment, an agent of Stable-Baselines3's kind.

    Args:
        data: The dataset.
        loading: Seconds that loading it took.
        agent: Short name of the agent.
        n_envs: Imagined episodes at once.
        device: Where model and agent are computed.
    """

    def __init__(self, data: Transitions, loading: float, agent: str, n_envs: int, device: str) -> None:
        super().__init__(loading)
        self._data, self._agent_name, self._n_envs, self._device = data, agent, n_envs, device

    def _fit_epoch(self) -> None:
        settings = FitSettings(max_epochs=1)
        self._model = fit(self._data, fit_settings=settings, device=self._device, progress=False).ensemble

    def _make(self) -> None:
        on_gpu = torch.device(self._device).type != "cpu"
        envs = gym.make_vec(
            "PenalizedModel-v0",
            num_envs=self._n_envs,
            output="torch" if on_gpu else "numpy",
            dataset=self._data,
            model=self._model,
            max_episode_steps=HORIZON,
            device=self._device,
        )
        kind: Any = agent_class(self._agent_name)
        if on_gpu:  # as runs do
            kind = with_device_rollouts(kind)
        self._agent = kind(
            "MlpPolicy",
            SB3VecEnv(envs),
            batch_size=BATCH,
            seed=0,
            device=self._device,
            replay_buffer_class=MixedReplayBuffer,
            replay_buffer_kwargs={"dataset": self._data, "real_ratio": REAL_RATIO},
            **mopo_schedule(self._n_envs, HORIZON),
        )

    def _watch(self) -> dict[str, list[Stopwatch]]:
        agent, device = self._agent, self._device
        # Batches are drawn without waiting for the device: the gradient steps around them do not wait either.
        # On a GPU a gradient step's graph holds its batch, so that only the draws count as the buffer's.
        self._sampling = [watch(agent.replay_buffer, part) for part in ("_drawn", "batch_at")]
        gradient = [watch(agent, "train", device)]
        if torch.device(device).type != "cpu":
            envs, acting = agent.get_env().env, (agent, "_random_actions")
            storing, stepping = (agent.replay_buffer, "add_rollout"), (envs, "step")
        else:
            envs, acting = agent.get_env(), (agent, "_sample_action")
            storing, stepping = (agent.replay_buffer, "add"), (envs, "step_wait")
        return {
            "model rollouts": [watch(*stepping, device)],
            "buffer": [watch(*storing, device), *self._sampling],
            "policy": [watch(*acting, device)],
            "gradient": gradient,
        }

    def _nested_seconds(self) -> float:
        return sum(stopwatch.seconds for stopwatch in self._sampling)  # `train` draws the batches

    def _train(self, steps: int) -> tuple[int, int]:
        before = self._agent._n_updates, self._agent.num_timesteps
        finished(lambda: learn(self._agent, steps * RATIO), self._device)
        return self._agent._n_updates - before[0], self._agent.num_timesteps - before[1]


class KitProgram(Program):
    """OfflineRL-Kit as its `run_mopo.py` puts it together, without evaluation and log.

    Args:
        checkout: Folder of OfflineRL-Kit.
        data: The dataset.
        ends: Its termination function.
        device: Where model and agent are computed.
    """

    def __init__(self, checkout: Path, data: Transitions, ends: Any, device: str) -> None:
        self._real, loading = timed(lambda: kit_buffer(checkout, len(data), data, filled=True, device=device))
        super().__init__(loading)
        size = RETAINED_EPOCHS * ROLLOUT_STARTS * HORIZON
        self._fake = kit_buffer(checkout, size, data, device=device)
        self._policy = kit_sac(checkout, data.obs_dim, data.action_dim, device)
        sizes: dict[str, Any] = {"horizon": HORIZON, "batch": BATCH, "real_ratio": REAL_RATIO}
        self._loop = KitLoop(self._policy, self._real, self._fake, **sizes)
        self._unfitted: Callable[[], Any] = lambda: kit_unfitted(
            checkout, data.obs_dim, data.action_dim, ends, device
        )
        self._device = device

    def _fit_epoch(self) -> None:
        self._policy.dynamics = self._unfitted()
        with TemporaryDirectory() as folder:
            log = MagicMock(model_dir=folder)
            self._policy.dynamics.train(self._real.sample_all(), log, max_epochs=1)

    def _make(self) -> None:
        self._policy.train()

    def _watch(self) -> dict[str, list[Stopwatch]]:
        stores = ((self._fake, "add_batch"), (self._fake, "sample"), (self._real, "sample"))
        return {
            "model rollouts": [watch(self._policy.dynamics, "step", self._device)],
            "buffer": [watch(buffer, method) for buffer, method in stores],
            "policy": [watch(self._policy, "select_action", self._device)],
            "gradient": [watch(self._policy, "learn", self._device)],
        }

    def _train(self, steps: int) -> tuple[int, int]:
        """What `MBPolicyTrainer.train` does; less than a cycle has a rollout smaller in proportion."""
        before = self._loop.transitions
        for step in range(steps):
            if step % EPOCH_GRADIENT_STEPS == 0:
                self._loop.collect(STARTS * min(EPOCH_GRADIENT_STEPS, steps - step))
            self._loop.learn()
        return steps, self._loop.transitions - before
