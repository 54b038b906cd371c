"""ant-angle: data of an ant that walks along x, a policy that walks at an angle to it."""

import math
from functools import partial
from types import MappingProxyType
from typing import Any

from offline_envs.tasks.base_env import ANT
from offline_envs.tasks.task import Info, Task, changed_settings

HEIGHT = 0  # obs: height of the torso [m]
HEALTHY_HEIGHT = (0.2, 1.0)  # closed interval, Ant's own [m]

SOURCE = (
    "Yu et al. 2020 (MOPO, arXiv v1), appendix D.1: vx cos(pi/6) + vy sin(pi/6) - control cost, where the "
    "control cost is Ant's 0.5 |a|^2. As printed there is no bonus for surviving, so survive_bonus is 0; a "
    "co-author's code has 1. Departure: that code's contact cost, some 0.001 a step, is left out."
)

REFERENCES = MappingProxyType(
    {"batch mean": 866.7, "batch max": 2311.9, "MOPO": 2502.2, "MBPO": 13.6, "SAC": -966.4}
)
"""Yu et al. 2020 (arXiv v1), table 2, on a replay buffer of a million steps of their own."""


def ant_angle(
    *, degrees: float = 30.0, control_cost: float = ANT.control_cost, survive_bonus: float = 0.0
) -> Task:
    """Make the task.

    With `degrees=0` it is the task that the paper's data come from: walking along x.

    Args:
        degrees: Direction of the walk, from x towards y.
        control_cost: Cost of a squared action.
        survive_bonus: Reward of every step after which the ant is healthy by Ant's own bounds, whatever
            `healthy_z_range` the environment ends episodes by.
    """
    settings: dict[str, Any] = {
        "degrees": float(degrees),
        "control_cost": float(control_cost),
        "survive_bonus": float(survive_bonus),
    }
    direction = f"vx cos({degrees:g} deg) + vy sin({degrees:g} deg)"
    bonus = f" + {survive_bonus:g} if healthy" if survive_bonus else ""
    return Task(
        name="ant-angle",
        env_id="AntAngle-v0",
        base_env_id=ANT.env_id,
        reward_terms=partial(reward_terms, **settings),
        formula=f"{direction} - {control_cost:g} |a|^2{bonus}",
        source=SOURCE,
        obs_dim=27,
        needs=("x_velocity", "y_velocity"),
        velocity_columns=ANT.velocity_columns,
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
        next_obs: `(..., 27)`; says whether the ant is healthy.
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
    """Whether all is finite and the height within bounds (`AntEnv.is_healthy`), for arrays and tensors."""
    low, high = HEALTHY_HEIGHT
    height = next_obs[..., HEIGHT]
    return (abs(next_obs) < math.inf).all(-1) & (height >= low) & (height <= high)
