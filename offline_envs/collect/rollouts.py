"""Take an environment through a number of steps by a rule for actions."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
from stable_baselines3.common.base_class import BaseAlgorithm

Act = Callable[[Any], Any]


def uniform_actions(env: gym.Env[Any, Any], seed: int) -> Act:
    """Return a rule that draws every action uniformly from the action space."""
    env.action_space.seed(seed)
    return lambda obs: env.action_space.sample()


def policy_actions(agent: BaseAlgorithm, *, deterministic: bool) -> Act:
    """Return a rule that asks a policy, for its mean action or for a sample."""
    return lambda obs: agent.predict(obs, deterministic=deterministic)[0]


def roll_out(
    env: gym.Env[Any, Any],
    act: Act,
    *,
    steps: int,
    seed: int | None,
    done: int = 0,
    on_reset: Callable[[int], None] | None = None,
) -> None:
    """Take steps, up to exactly `steps` of them, resetting after each end.

    Args:
        env: Environment, usually one that records.
        act: Gives the action for an observation.
        steps: Number of steps.
        seed: Seed of the first reset; None to go on with the environment's own generator.
        done: How many of the steps have been taken before.
        on_reset: Called after every reset but the first, with the number of steps taken.
    """
    obs, _ = env.reset(seed=seed)
    for step in range(done + 1, steps + 1):
        obs, _, terminated, truncated, _ = env.step(act(obs))
        if (terminated or truncated) and step < steps:
            obs, _ = env.reset()
            if on_reset is not None:
                on_reset(step)


def mean_random_return(env: gym.Env[Any, Any], *, episodes: int, seed: int) -> float:
    """Return the mean undiscounted return of uniform actions."""
    act = uniform_actions(env, seed)
    total = 0.0
    for episode in range(episodes):
        obs, _ = env.reset(seed=seed if episode == 0 else None)
        ended = False
        while not ended:
            obs, reward, terminated, truncated, _ = env.step(act(obs))
            total += float(reward)
            ended = terminated or truncated
    return total / episodes
