"""When real episodes end, as functions of batched observations, one per family of environments.

The rules repeat the conditions of Gymnasium's own environments. Three things hold for all of them:

- Each bound is compared in the dtype of `next_obs`, so that it is rounded exactly as the observation was: a
  state that lies on the bound gets the simulator's answer in float32 too. States that float32 cannot
  distinguish from the bound (within 3e-8 of 0.7, say) get the bound's answer; all others get the simulator's.
- NaN is unhealthy wherever the simulator calls it unhealthy.
- They read shapes and dtypes only, never values, on the host: no device synchronisation.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

TerminationRule = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`rule(obs (B, d), action (B, k), next_obs (B, d)) -> terminated (B,) bool`."""

Bounds = tuple[float, float]
"""Lower and upper end of an interval; each rule says whether it is open or closed."""

# Indices into the default observation, which leaves out the `hidden` leading positions (x, or x and y).
PLANAR_HEIGHT = 0  # Hopper, Walker2d: z of the torso [m]
PLANAR_ANGLE = 1  # Hopper, Walker2d: pitch of the torso [rad]
TORSO_HEIGHT = 0  # Ant, Humanoid: z of the torso [m]
POLE_ANGLE = 1  # InvertedPendulum: angle of the pole from upright [rad]
LINK_SINES = slice(1, 3)  # InvertedDoublePendulum: sines of the two joint angles [1]
LINK_COSINES = slice(3, 5)  # InvertedDoublePendulum: cosines of the two joint angles [1]
CAR_POSITION = 0  # MountainCar, MountainCarContinuous: position along the track [1]
CAR_VELOCITY = 1  # MountainCar, MountainCarContinuous: change of the position per step [1]
CART_POSITION = 0  # CartPole: position of the cart [m]
CART_POLE_ANGLE = 2  # CartPole: angle of the pole from upright [rad]

MAX_POLE_ANGLE = 0.2  # InvertedPendulum [rad]
LINK_LENGTH = 0.6  # each link of inverted_double_pendulum.xml [m]
MIN_TIP_HEIGHT = 1.0  # InvertedDoublePendulum [m]
GOAL_POSITION = 0.45  # MountainCarContinuous [1]
FLAG_POSITION = 0.5  # MountainCar [1]
MAX_CART_POSITION = 2.4  # CartPole [m]
MAX_CART_POLE_ANGLE = 12 * 2 * math.pi / 360  # CartPole [rad], in the simulator's own order of operations
ACROBOT_HEIGHT = 1.0  # Acrobot: height of the tip above the pivot, in lengths of a link [1]


def never(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """End no episode: the rule of every environment that only a time limit stops.

    Args:
        obs: Observations before the step, `(B, d)`; not read.
        action: Actions, `(B, k)`; not read.
        next_obs: Observations after the step, `(B, d)`; only its shape and device are read.

    Returns:
        All false, `(B,)` bool, on the device of `next_obs`.
    """
    del obs, action  # Unused.
    return torch.zeros(next_obs.shape[:-1], dtype=torch.bool, device=next_obs.device)


def hopper(
    obs: Tensor,
    action: Tensor,
    next_obs: Tensor,
    *,
    height: Bounds = (0.7, float("inf")),
    angle: Bounds = (-0.2, 0.2),
    state: Bounds = (-100.0, 100.0),
    hidden: int = 0,
) -> Tensor:
    """End where height, angle or any other state leaves its open interval (`HopperEnv.is_healthy`).

    Both ends of `state` bind: the often copied `abs(next_obs[:, 1:] < 100)` takes the absolute value of a
    boolean and lets -1000 through. Observed velocities are clipped to +-10 while the simulator tests the
    unclipped ones: only the simulator sees a velocity leave an interval that is wider than the clipping.

    Args:
        obs: Observations before the step, `(B, d)`; not read.
        action: Actions, `(B, k)`; not read.
        next_obs: Observations after the step, `(B, d)`.
        height: Open interval of the torso's height [m].
        angle: Open interval of the torso's pitch [rad].
        state: Open interval of every position and velocity after the height [m, rad, m/s, rad/s].
        hidden: Number of extra leading positions in the observation: 1 if x is observed.

    Returns:
        Whether the episode ends, `(B,)` bool.
    """
    rest = next_obs[:, hidden + PLANAR_ANGLE :]  # (B, d - hidden - 1)
    in_state = ((rest > state[0]) & (rest < state[1])).all(dim=-1)
    return ~in_state | walker2d(obs, action, next_obs, height=height, angle=angle, hidden=hidden)


def walker2d(
    obs: Tensor,
    action: Tensor,
    next_obs: Tensor,
    *,
    height: Bounds = (0.8, 2.0),
    angle: Bounds = (-1.0, 1.0),
    hidden: int = 0,
) -> Tensor:
    """End where height or angle leaves its open interval (`Walker2dEnv.is_healthy`).

    Args:
        obs: Observations before the step, `(B, d)`; not read.
        action: Actions, `(B, k)`; not read.
        next_obs: Observations after the step, `(B, d)`.
        height: Open interval of the torso's height [m].
        angle: Open interval of the torso's pitch [rad].
        hidden: Number of extra leading positions in the observation: 1 if x is observed.

    Returns:
        Whether the episode ends, `(B,)` bool.
    """
    del obs, action  # Unused.
    z = next_obs[:, hidden + PLANAR_HEIGHT]
    pitch = next_obs[:, hidden + PLANAR_ANGLE]
    return ~((z > height[0]) & (z < height[1]) & (pitch > angle[0]) & (pitch < angle[1]))


def ant(
    obs: Tensor, action: Tensor, next_obs: Tensor, *, height: Bounds = (0.2, 1.0), hidden: int = 0
) -> Tensor:
    """End where anything is not finite or the height leaves its closed interval (`AntEnv.is_healthy`).

    Args:
        obs: Observations before the step, `(B, d)`; not read.
        action: Actions, `(B, k)`; not read.
        next_obs: Observations after the step, `(B, d)`, with or without contact forces.
        height: Closed interval of the torso's height [m].
        hidden: Number of extra leading positions in the observation: 2 if x and y are observed.

    Returns:
        Whether the episode ends, `(B,)` bool.
    """
    del obs, action  # Unused.
    z = next_obs[:, hidden + TORSO_HEIGHT]
    return ~(_finite(next_obs) & (z >= height[0]) & (z <= height[1]))


def humanoid(
    obs: Tensor, action: Tensor, next_obs: Tensor, *, height: Bounds = (1.0, 2.0), hidden: int = 0
) -> Tensor:
    """End where the height leaves its open interval (`HumanoidEnv.is_healthy`).

    Args:
        obs: Observations before the step, `(B, d)`; not read.
        action: Actions, `(B, k)`; not read.
        next_obs: Observations after the step, `(B, d)`, with any of the optional blocks.
        height: Open interval of the torso's height [m].
        hidden: Number of extra leading positions in the observation: 2 if x and y are observed.

    Returns:
        Whether the episode ends, `(B,)` bool.
    """
    del obs, action  # Unused.
    z = next_obs[:, hidden + TORSO_HEIGHT]
    return ~((z > height[0]) & (z < height[1]))


def inverted_pendulum(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """End where anything is not finite or the pole leans beyond 0.2 rad, itself allowed.

    Args:
        obs: Observations before the step, `(B, 4)`; not read.
        action: Actions, `(B, 1)`; not read.
        next_obs: Observations after the step, `(B, 4)`.

    Returns:
        Whether the episode ends, `(B,)` bool.
    """
    del obs, action  # Unused.
    return ~_finite(next_obs) | (next_obs[:, POLE_ANGLE].abs() > MAX_POLE_ANGLE)


def tip_height(obs: Tensor) -> Tensor:
    """Height of the double pendulum's tip above the rail, from the sines and cosines of its joint angles.

    The second angle is measured from the first link. The angles are taken by `atan2`, so that predicted sines
    and cosines off the unit circle count by their direction.

    Args:
        obs: Observations of InvertedDoublePendulum, `(B, 9)` for v5 or `(B, 11)` for v4.

    Returns:
        Height [m], `(B,)`, at most 1.2.
    """
    angles = torch.atan2(obs[:, LINK_SINES], obs[:, LINK_COSINES])  # (B, 2)
    return LINK_LENGTH * torch.cos(angles.cumsum(dim=-1)).sum(dim=-1)


def inverted_double_pendulum(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """End where the tip is at 1 m or lower.

    The simulator reads the tip from its integrator's last stage, not from the state that it returns, so its
    height differs from the observation's by up to 3e-4 m (over 63 000 steps of a random policy in v5); states
    that near to 1 m may be judged differently. NaN ends nothing, as in the simulator.

    Args:
        obs: Observations before the step, `(B, d)`; not read.
        action: Actions, `(B, 1)`; not read.
        next_obs: Observations after the step, `(B, 9)` for v5 or `(B, 11)` for v4.

    Returns:
        Whether the episode ends, `(B,)` bool.
    """
    del obs, action  # Unused.
    return tip_height(next_obs) <= MIN_TIP_HEIGHT


def mountain_car(
    obs: Tensor,
    action: Tensor,
    next_obs: Tensor,
    *,
    goal_position: float = GOAL_POSITION,
    goal_velocity: float = 0.0,
) -> Tensor:
    """End where the car is at the goal or beyond it, and at least as fast as asked.

    Args:
        obs: Observations before the step, `(B, 2)`; not read.
        action: Actions, `(B, k)`; not read.
        next_obs: Observations after the step, `(B, 2)`.
        goal_position: The goal, 0.45 in MountainCarContinuous and 0.5 in MountainCar [1].
        goal_velocity: Smallest velocity that counts at the goal [1].

    Returns:
        Whether the episode ends, `(B,)` bool.
    """
    del obs, action  # Unused.
    return (next_obs[:, CAR_POSITION] >= goal_position) & (next_obs[:, CAR_VELOCITY] >= goal_velocity)


def cart_pole(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """End where the cart is beyond 2.4 m or the pole leans beyond 12°, both bounds themselves allowed.

    NaN ends nothing, as in the simulator.

    Args:
        obs: Observations before the step, `(B, 4)`; not read.
        action: Actions, `(B, 2)`; not read.
        next_obs: Observations after the step, `(B, 4)`.

    Returns:
        Whether the episode ends, `(B,)` bool.
    """
    del obs, action  # Unused.
    leans = next_obs[:, CART_POLE_ANGLE].abs() > MAX_CART_POLE_ANGLE
    return leans | (next_obs[:, CART_POSITION].abs() > MAX_CART_POSITION)


def acrobot(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """End where the tip is higher than one link above the pivot: −cos θ₁ − cos(θ₁ + θ₂) > 1.

    The simulator takes the angles, the rule their cosines and sines as observed, so heights differ by their
    rounding to float32. NaN ends nothing.

    Args:
        obs: Observations before the step, `(B, 6)`; not read.
        action: Actions, `(B, 3)`; not read.
        next_obs: Observations after the step, `(B, 6)`: cos θ₁, sin θ₁, cos θ₂, sin θ₂, and velocities.

    Returns:
        Whether the episode ends, `(B,)` bool.
    """
    del obs, action  # Unused.
    cos_1, sin_1, cos_2, sin_2 = next_obs[:, :4].unbind(dim=1)
    return -cos_1 - (cos_1 * cos_2 - sin_1 * sin_2) > ACROBOT_HEIGHT


def _finite(obs: Tensor) -> Tensor:
    """Whether a row has neither NaN nor infinity, `(B,)` bool."""
    return torch.isfinite(obs).all(dim=-1)
