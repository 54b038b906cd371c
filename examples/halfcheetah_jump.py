"""halfcheetah-jump: from data of a cheetah that runs, a policy that jumps (Yu et al. 2020, section 5.2).

The data are the replay buffer of an agent rewarded for running at up to 3 m/s:

offline-envs collect HalfCheetahJump-v0 my/halfcheetah-capped-v0 --kind replay --steps 300000 \
    --env-kwargs '{"jump_weight": 0}'
python examples/halfcheetah_jump.py my/halfcheetah-capped-v0
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
from stable_baselines3 import SAC

import offline_envs  # noqa: F401  registers the environments
from offline_envs.sb3 import (
    MixedReplayBuffer,
    RealEvalCallback,
    SB3VecEnv,
    mopo_schedule,
    with_uniform_rollouts,
)
from offline_envs.tasks import relabel

TASK = "halfcheetah-jump"


@dataclass(frozen=True)
class Settings:
    """MOPO for this task: five steps of uniform actions from states of the data, penalty coefficient 1."""

    dataset: str
    policy: Path = Path("halfcheetah_jump.zip")
    horizon: int = 5
    penalty_coef: float = 1.0
    n_envs: int = 500
    transitions_per_gradient_step: int = 250
    gradient_steps: int = 100_000
    eval_every: int = 5_000
    ensemble: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=lambda: {"max_epochs": 30})
    seed: int = 0


def main(settings: Settings) -> float:
    """Train on the relabelled data and return the mean score in the real environment of the task."""
    transitions = relabel(settings.dataset, TASK)
    returns = transitions.episode_returns
    print(f"dataset, for the jump: mean return {returns.mean():.0f}, best {returns.max():.0f}")
    envs = gym.make_vec(
        "PenalizedModel-v0",
        num_envs=settings.n_envs,
        dataset=transitions,
        penalty_coef=settings.penalty_coef,
        max_episode_steps=settings.horizon,
        ensemble=dict(settings.ensemble),
        fit=dict(settings.fit),
    )
    agent = with_uniform_rollouts(SAC)(
        "MlpPolicy",
        SB3VecEnv(envs),
        replay_buffer_class=MixedReplayBuffer,
        replay_buffer_kwargs={"dataset": transitions},
        seed=settings.seed,
        **mopo_schedule(
            settings.n_envs,
            settings.horizon,
            transitions_per_gradient_step=settings.transitions_per_gradient_step,
        ),
    )
    real = RealEvalCallback(transitions.make_env, every=settings.eval_every, n_episodes=5, verbose=1)
    timesteps = settings.gradient_steps * settings.transitions_per_gradient_step
    agent.learn(timesteps, real, log_interval=timesteps)
    agent.save(settings.policy)
    envs.close()
    return real.history[-1].result.mean


if __name__ == "__main__":
    main(Settings(dataset=sys.argv[1]))
