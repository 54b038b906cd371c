"""What the worker uses of d3rlpy, for tests without d3rlpy; the worker imports a copy of it as d3rlpy.

Its one algorithm takes a random step of a single weight, and its policy gives that weight as the action.
"""

import random
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__version__ = "0-stand-in"

constants = SimpleNamespace(ActionSpace=SimpleNamespace(CONTINUOUS="continuous"))
logging = SimpleNamespace(NoopAdapterFactory=lambda: None)


def seed(number: int) -> None:
    """Seed every global generator, as d3rlpy does."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002
    torch.manual_seed(number)


class MDPDataset:
    """Checks the arrays, and counts the rows that d3rlpy draws."""

    def __init__(
        self, observations: Any, actions: Any, rewards: Any, terminals: Any, timeouts: Any, action_space: str
    ) -> None:
        assert action_space == "continuous"
        assert len(observations) == len(actions) == len(rewards)
        self.transition_count = len(observations) - int(timeouts.sum())
        self.scale = float(np.abs(rewards).mean())
        assert not (terminals * timeouts).any()


dataset = SimpleNamespace(MDPDataset=MDPDataset)


class Weight(nn.Module):
    """The policy."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, obs: Tensor) -> Tensor:
        return torch.full([obs.shape[0], 1], self.value)


@dataclass
class TD3PlusBCConfig:
    """Settings of the one algorithm."""

    step_size: float = 0.01
    action_scaler: Any = None
    observation_scaler: Any = None
    crash_at: int = -1

    def serialize_to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def deserialize_from_dict(cls, values: dict[str, Any]) -> "TD3PlusBCConfig":
        if isinstance(values["step_size"], str):
            raise TypeError("step_size is a number")
        return cls(**values)

    def create(self, device: str) -> "Learner":
        assert device == "cpu:0"
        return Learner(self, device)


class Learner:
    """The one algorithm."""

    def __init__(self, config: TD3PlusBCConfig, device: str) -> None:
        self.config, self._device = config, device
        self.weight, self.grad_step = 0.0, 0

    def create_impl(self, observation_shape: tuple[int, ...], action_size: int) -> None:
        assert (len(observation_shape), action_size) == (1, 1)

    def set_grad_step(self, step: int) -> None:
        self.grad_step = step

    def save_model(self, path: str) -> None:
        torch.save({"weight": self.weight}, path)

    def load_model(self, path: str) -> None:
        self.weight = torch.load(path)["weight"]

    def save_policy(self, path: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.script(Weight(self.weight)).save(path)

    def fit(
        self,
        dataset: MDPDataset,
        n_steps: int,
        n_steps_per_epoch: int,
        logger_adapter: None,
        show_progress: bool,
        callback: Callable[["Learner", int, int], None],
    ) -> None:
        """Move the weight by numbers of every generator, and a little more with every step taken so far."""
        assert (n_steps, logger_adapter, show_progress) == (n_steps_per_epoch, None, False)
        print("a line of d3rlpy's log")
        for step in range(1, n_steps + 1):
            noise = random.random() + float(np.random.rand()) + float(torch.rand(()))  # noqa: NPY002
            self.weight += self.config.step_size * (noise - 1.5) + 1e-4 * self.grad_step
            self.grad_step += 1
            assert self.grad_step != self.config.crash_at, "the stand-in was told to crash"
            callback(self, 1, step)


algos = SimpleNamespace(TD3PlusBCConfig=TD3PlusBCConfig)
