"""Tiny agents in learned environments with known values, which may collect on their device."""

from typing import Any

import gymnasium as gym

from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv
from tests.toy import halting_options, right_of_six, toy_options, toy_transitions

N = 20
PENALISED = ("PenalizedModel-v0", toy_options(termination=right_of_six, penalty="max_disagreement"))
PESSIMISTIC = ("PessimisticModel-v0", halting_options(start="dataset"))


def make_envs(model: tuple[str, dict[str, Any]] = PENALISED, num_envs: int = N, **changes: Any) -> Any:
    env_id, options = model
    settings = {"autoreset_mode": "SameStep", "output": "torch", "max_episode_steps": 3, **options, **changes}
    return gym.make_vec(env_id, num_envs=num_envs, **settings)


def make(agent: type[Any], envs: Any = None, **options: Any) -> Any:
    """An agent that takes four steps of all rows and two gradient steps a cycle."""
    settings: dict[str, Any] = {
        "train_freq": 4,
        "gradient_steps": 2,
        "learning_starts": 0,
        "batch_size": 8,
        "buffer_size": 100 * N,
        "seed": 0,
        "policy_kwargs": {"net_arch": [8]},
        "replay_buffer_class": MixedReplayBuffer,
        "replay_buffer_kwargs": {"dataset": toy_transitions(), "real_ratio": 0.5},
        "device": "cpu",
    }
    vec_env = envs if isinstance(envs, SB3VecEnv) else SB3VecEnv(make_envs() if envs is None else envs)
    return agent("MlpPolicy", vec_env, **{**settings, **options})
