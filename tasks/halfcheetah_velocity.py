"""halfcheetah-velocity: data of a cheetah that runs as fast as it can, a policy that keeps a given speed."""

from functools import partial
from typing import Any

from offline_envs.tasks.base_env import HALFCHEETAH
from offline_envs.tasks.task import Info, Task, changed_settings

CONTROL_COST = HALFCHEETAH.control_cost  # of a squared action

SOURCE = (
    "The goal-velocity task of Finn et al. 2017 (MAML), section 5.3, with one fixed goal and with "
    "HalfCheetah-v5's control cost, twice theirs."
)


def halfcheetah_velocity(*, target_speed: float = 2.0) -> Task:
    """Make the task; a negative speed asks a cheetah that only ever ran forward to run backward.

    Args:
        target_speed: Velocity along x to keep, in m/s.
    """
    settings: dict[str, Any] = {"target_speed": float(target_speed)}
    sign = "-" if target_speed >= 0.0 else "+"
    return Task(
        name="halfcheetah-velocity",
        env_id="HalfCheetahVelocity-v0",
        base_env_id=HALFCHEETAH.env_id,
        reward_terms=partial(reward_terms, **settings),
        formula=f"-|vx {sign} {abs(target_speed):g}| - {CONTROL_COST:g} |a|^2",
        source=SOURCE,
        obs_dim=17,
        needs=("x_velocity",),
        velocity_columns=HALFCHEETAH.velocity_columns,
        settings=changed_settings(halfcheetah_velocity, settings),
    )


def reward_terms(obs: Any, action: Any, next_obs: Any, info: Info, *, target_speed: float) -> dict[str, Any]:
    """Reward of keeping the speed and of effort; see `RewardTerms`.

    Args:
        obs: Not read.
        action: `(..., 6)`.
        next_obs: Not read.
        info: Holds `x_velocity`, metres along x over the step divided by its duration, `(...)` in m/s.
        target_speed: See `halfcheetah_velocity`.
    """
    del obs, next_obs  # Unused.
    return {
        "reward_forward": -abs(info["x_velocity"] - target_speed),
        "reward_ctrl": -CONTROL_COST * (action**2).sum(-1),
    }
