"""ant-angle: data of an ant that walks along x, a policy that walks at an angle to it."""

import math
from functools import partial
from types import MappingProxyType
from typing import Any

from offline_envs.tasks.changed import changed_settings
from offline_envs.tasks.task import Info, Task

HEIGHT = 0  # obs: height of the torso [m]
X_VELOCITY = 13  # obs: velocity of the torso along x at the end of the step [m/s]
Y_VELOCITY = 14  # obs: along y [m/s]
HEALTHY_HEIGHT = (0.2, 1.0)  # closed interval, Ant's own [m]

SOURCE = (
    "Yu et al. 2020 (MOPO, arXiv v1), appendix D.1: vx cos(pi/6) + vy sin(pi/6) - control cost, where the "
    "control cost is Ant's 0.5 |a|^2. As printed there is no bonus for surviving, so survive_bonus is 0; a "
    "co-author's code pays 1. Departure: that code's contact cost, some 0.001 a step, is left out."
)

REFERENCES = MappingProxyType(
    {"batch mean": 866.7, "batch max": 2311.9, "MOPO": 2502.2, "MBPO": 13.6, "SAC": -966.4}
)
"""Yu et al. 2020 (arXiv v1), table 2, on a replay buffer of a million steps of their own."""


def ant_angle(*, degrees: float = 30.0, control_cost: float = 0.5, survive_bonus: float = 0.0) -> Task:
    """Make the task.

    With `degrees=0` it is the task that the paper's data come from: walking along x.

    Args:
        degrees: Direction of the walk, from x towards y.
        control_cost: Cost of a squared action.
        survive_bonus: Reward of every step on which the ant is healthy.
    """
    settings: dict[str, Any] = {
        "degrees": float(degrees),
        "control_cost": float(control_cost),
        "survive_bonus": float(survive_bonus),
    }
    direction = f"vx cos({degrees:g} deg) + vy sin({degrees:g} deg)"
    return Task(
        name="ant-angle",
        env_id="AntAngle-v0",
        base_env_id="Ant-v5",
        reward_terms=partial(reward_terms, **settings),
        formula=f"{direction} - {control_cost:g} |a|^2 + {survive_bonus:g}",
        source=SOURCE,
        obs_dim=27,
        velocity_columns={"x_velocity": X_VELOCITY, "y_velocity": Y_VELOCITY},
        base_kwargs={"include_cfrc_ext_in_observation": False},
        settings=changed_settings(ant_angle, settings),
        references=dict(REFERENCES),
    )


def reward_terms(
    obs: Any,
    action: Any,
    next_obs: Any,
    info: Info,
    *,
    degrees: float,
    control_cost: float,
    survive_bonus: float,
) -> dict[str, Any]:
    """Reward of walking, of effort and of surviving; see `RewardTerms`.

    Args:
        obs: Not read.
        action: `(..., 8)`.
        next_obs: `(..., 27)`; tells whether the ant is healthy.
        info: Holds `x_velocity` and `y_velocity`, metres over the step divided by its duration, `(...)`.
        degrees: See `ant_angle`.
        control_cost: See `ant_angle`.
        survive_bonus: See `ant_angle`.
    """
    del obs  # Unused.
    angle = math.radians(degrees)
    return {
        "reward_forward": math.cos(angle) * info["x_velocity"] + math.sin(angle) * info["y_velocity"],
        "reward_ctrl": -control_cost * (action**2).sum(-1),
        "reward_survive": survive_bonus * _is_healthy(next_obs),
    }


def _is_healthy(next_obs: Any) -> Any:
    low, high = HEALTHY_HEIGHT
    return (next_obs[..., HEIGHT] >= low) & (next_obs[..., HEIGHT] <= high)
