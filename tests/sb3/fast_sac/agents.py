"""Agents with full buffers, and everything that training changes in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.vector.utils import batch_space
from stable_baselines3 import SAC
from stable_baselines3.common import policies
from stable_baselines3.common.logger import configure

from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv
from tests.sb3.toy import CountingVectorEnv, toy_transitions

Numbers = dict[str, torch.Tensor]

MIXED: dict[str, Any] = {
    "replay_buffer_class": MixedReplayBuffer,
    "replay_buffer_kwargs": {"dataset": toy_transitions(), "real_ratio": 0.25},
}
"""Settings of a buffer that mixes a dataset with imagined rows."""

Agent = TypeVar("Agent", bound=SAC)


class WideVectorEnv(CountingVectorEnv):
    """Actions of three dimensions, for spaces only."""

    def __init__(self) -> None:
        super().__init__([9, 9])
        self.single_action_space = Box(-1, 1, (3,), np.float32)
        self.action_space = batch_space(self.single_action_space, self.num_envs)


def make(agent: type[Agent], *, wide: bool = False, **settings: Any) -> Agent:
    """An agent with a buffer of 64 random steps, of which some end and some are cut.

    Args:
        agent: Its class.
        wide: Whether actions have three dimensions instead of one.
        **settings: Keywords of its constructor.
    """
    options = {"policy_kwargs": {"net_arch": [32, 32]}, "buffer_size": 200, "device": "cpu", **settings}
    env = WideVectorEnv() if wide else CountingVectorEnv([9, 9])
    made = agent("MlpPolicy", SB3VecEnv(env), batch_size=16, seed=0, **options)
    made.set_logger(configure(None, []))
    rng, buffer, k = np.random.default_rng(1), made.replay_buffer, 3 if wide else 1
    assert buffer is not None
    for _ in range(32):
        obs, next_obs = rng.normal(size=(2, 2, 2))
        done, cut = rng.random((2, 2)) < 0.3
        infos = [{"TimeLimit.truncated": bool(done[row] and cut[row])} for row in range(2)]
        buffer.add(obs, next_obs, rng.uniform(-1, 1, (2, k)), rng.normal(size=2), done, infos)
    return made


def trained(agent: type[Agent], updates: int = 5, **settings: Any) -> Agent:
    """An agent of `make` after gradient steps."""
    made = make(agent, **settings)
    made.set_random_seed(3)
    made.train(updates, batch_size=16)
    return made


def numbers(agent: SAC) -> Numbers:
    """Everything that a gradient step changes: weights, targets, temperature and the optimizers' states."""
    found = {f"policy {name}": value for name, value in agent.policy.state_dict().items()}
    optimizers: dict[str, Any] = {"actor": agent.actor.optimizer, "critic": agent.critic.optimizer}
    if agent.ent_coef_optimizer is not None:
        assert agent.log_ent_coef is not None
        found["log alpha"] = agent.log_ent_coef.detach()
        optimizers["alpha"] = agent.ent_coef_optimizer
    for owner, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            found.update({f"{owner} {index} {name}": value for name, value in state.items()})
    return {name: value.clone() for name, value in found.items()}


def assert_same(ours: Numbers, theirs: Numbers, tolerance: float = 0) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=tolerance, atol=tolerance, msg=name)


def reloaded(agent: SAC, kind: type[SAC], path: Path) -> SAC:
    """An agent from the file of another, with a copy of the other's buffer."""
    agent.save(path)
    loaded = kind.load(path, env=agent.get_env(), device="cpu")
    loaded.replay_buffer = deepcopy(agent.replay_buffer)
    loaded.set_logger(configure(None, []))
    return loaded


@contextmanager
def double_precision() -> Iterator[None]:
    """Let Stable-Baselines3 compute in float64, also where it calls `float()`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policies, "preprocess_obs", lambda obs, *args, **kwargs: obs.double())
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(torch.float32)
