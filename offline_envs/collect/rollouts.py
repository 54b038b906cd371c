"""`roll_out`: step an environment with a policy."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym

from offline_envs.policies import Acting, Predictor


class SpaceSamples:
    """A policy that draws every action uniformly from an action space, with the space's own generator.

    Args:
        env: Environment whose actions are drawn.
        seed: Seed of the space's generator.
    """

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        self._space = env.action_space
        self._space.seed(seed)

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, None]:
        """Draw an action, whatever the observation."""
        del observation, deterministic  # Unused.
        return self._space.sample(), None


def roll_out(
    env: gym.Env[Any, Any],
    policy: Predictor,
    *,
    deterministic: bool = False,
    steps: int,
    seed: int | None,
    done: int = 0,
    on_reset: Callable[[int], None] | None = None,
) -> None:
    """Step until exactly `steps` steps are taken, resetting after each end.

    Args:
        env: Environment, usually one that records.
        policy: Chooses the actions.
        deterministic: Whether to take its deterministic actions, or samples.
        steps: Number of steps.
        seed: Seed of the first reset; None to continue with the environment's own generator.
        done: Number of steps taken already.
        on_reset: Called after every reset but the first, with the number of steps taken.
    """
    act = Acting(policy, deterministic=deterministic)
    obs, _ = env.reset(seed=seed)
    for step in range(done + 1, steps + 1):
        obs, _, terminated, truncated, _ = env.step(act(obs))
        if (terminated or truncated) and step < steps:
            act.begin()
            obs, _ = env.reset()
            if on_reset is not None:
                on_reset(step)


def mean_random_return(env: gym.Env[Any, Any], *, episodes: int, seed: int) -> float:
    """Return the mean undiscounted return of uniform actions."""
    policy = SpaceSamples(env, seed)
    total = 0.0
    for episode in range(episodes):
        obs, _ = env.reset(seed=seed if episode == 0 else None)
        ended = False
        while not ended:
            obs, reward, terminated, truncated, _ = env.step(policy.predict(obs, deterministic=False)[0])
            total += float(reward)
            ended = terminated or truncated
    return total / episodes
