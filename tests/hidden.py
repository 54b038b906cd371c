"""A mass on a spring that is pushed at random: a state of two numbers, of which one may be hidden."""

import numpy as np
import torch
from gymnasium.spaces import Box

from offline_envs.data import Transitions

PULL, PUSH, NOISE = 0.3, 0.5, 0.05


def mass_on_a_spring(*, hidden: bool, n_episodes: int = 60, n_steps: int = 50, seed: int = 0) -> Transitions:
    """Random pushes from −1 to 1; obs (position, velocity), or the position alone.

    Velocity v' = v − 0.3·x + 0.5·a and position x' = x + v', both with noise of deviation 0.05; reward −x'.
    The position alone follows x' = x + (x − x_before) − 0.3·x + 0.5·a and more noise: a Markov process with
    two positions.
    """
    rng = np.random.default_rng(seed)
    course = np.zeros((n_episodes, n_steps + 1, 2))
    course[:, 0] = rng.normal(size=(n_episodes, 2))
    actions = rng.uniform(-1, 1, size=(n_episodes, n_steps))
    for t in range(n_steps):
        x, v = course[:, t].T
        noise = rng.normal(scale=NOISE, size=(n_episodes, 2))
        speed = v - PULL * x + PUSH * actions[:, t] + noise[:, 0]
        course[:, t + 1] = np.stack([x + speed + noise[:, 1], speed], axis=1)
    shown = torch.tensor(course[..., :1] if hidden else course, dtype=torch.float32)
    n = n_episodes * n_steps
    return Transitions(
        obs=shown[:, :-1].reshape(n, -1),
        actions=torch.tensor(actions.reshape(n, 1), dtype=torch.float32),
        rewards=-shown[:, 1:, 0].reshape(n),
        next_obs=shown[:, 1:].reshape(n, -1),
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.arange(0, n, n_steps),
        action_space=Box(-1.0, 1.0, (1,)),
        source="a mass on a spring",
    )
