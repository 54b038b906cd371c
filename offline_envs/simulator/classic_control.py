"""States of Gymnasium's classic control environments from their observations."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def pendulum(env: Any, obs: Vector) -> Vector:
    """Set it to (cos θ, sin θ, θ̇), and observe it."""
    env.state = np.array([np.arctan2(obs[1], obs[0]), obs[2]])
    env.last_u = None  # a picture shows the torque as an arrow
    observed: Vector = env._get_obs()
    return observed


def acrobot(env: Any, obs: Vector) -> Vector:
    """Set it to (cos θ₁, sin θ₁, cos θ₂, sin θ₂, velocities), and observe it."""
    env.state = np.concatenate([np.arctan2(obs[1:4:2], obs[0:4:2]), obs[4:6]])
    observed: Vector = env._get_ob()
    return observed


def cart_pole(env: Any, obs: Vector) -> Vector:
    """Set it to (x, ẋ, θ, θ̇), and observe it."""
    env.state = obs.copy()
    env.steps_beyond_terminated = None
    return np.array(env.state)


def mountain_car(env: Any, obs: Vector) -> Vector:
    """Set it to (position, velocity), and observe it; with discrete and with continuous actions."""
    env.state = obs.copy()
    return np.array(env.state)
