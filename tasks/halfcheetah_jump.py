"""halfcheetah-jump: data of a cheetah that runs at up to 3 m/s, a policy that jumps as it runs."""

from functools import partial
from types import MappingProxyType
from typing import Any

from offline_envs.tasks.base_env import HALFCHEETAH
from offline_envs.tasks.task import Info, Task, changed_settings

HEIGHT = 0  # obs: height of the torso above its nominal 0.7 m, the joint rootz [m]
CONTROL_COST = HALFCHEETAH.control_cost  # of a squared action

SOURCE = (
    "Yu et al. 2020 (MOPO, arXiv v1), appendix D.1: max{vx, 3} - 0.1 |a|^2 + 15 (z - init_z). "
    "Departures: min for max, because the text says that 3 is the maximum velocity and a co-author's code "
    "takes the minimum (literal_max=True is the printed formula); init_z is 0 in units of the observation, "
    "which shows the height above the nominal one: the height at a noisy reset is hidden from a policy."
)

REFERENCES = MappingProxyType(
    {"batch mean": -1022.6, "batch max": 1808.6, "MOPO": 4140.6, "MBPO": 2971.4, "SAC": -3588.2}
)
"""Yu et al. 2020 (arXiv v1), table 2, on a replay buffer of a million steps of their own."""


def halfcheetah_jump(*, jump_weight: float = 15.0, max_speed: float = 3.0, literal_max: bool = False) -> Task:
    """Make the task.

    With `jump_weight=0` it is the task that the paper's data come from: running at up to 3 m/s.

    Args:
        jump_weight: Reward per metre of height and step.
        max_speed: Speed beyond which the reward does not grow, in m/s.
        literal_max: Whether the reward is the larger of velocity and `max_speed`, as the paper prints it.
    """
    settings: dict[str, Any] = {
        "jump_weight": float(jump_weight),
        "max_speed": float(max_speed),
        "literal_max": literal_max,
    }
    extreme = "max" if literal_max else "min"
    return Task(
        name="halfcheetah-jump",
        env_id="HalfCheetahJump-v0",
        base_env_id=HALFCHEETAH.env_id,
        reward_terms=partial(reward_terms, **settings),
        formula=f"{extreme}(vx, {max_speed:g}) - {CONTROL_COST:g} |a|^2 + {jump_weight:g} z",
        source=SOURCE,
        obs_dim=17,
        needs=("x_velocity",),
        velocity_columns=HALFCHEETAH.velocity_columns,
        settings=changed_settings(halfcheetah_jump, settings),
        references=dict(REFERENCES),
    )


def reward_terms(
    obs: Any,
    action: Any,
    next_obs: Any,
    info: Info,
    *,
    jump_weight: float,
    max_speed: float,
    literal_max: bool,
) -> dict[str, Any]:
    """Reward of running, of effort and of height; see `RewardTerms`.

    Args:
        obs: Not read.
        action: `(..., 6)`.
        next_obs: `(..., 17)`.
        info: Holds `x_velocity`, metres along x over the step divided by its duration, `(...)` in m/s.
        jump_weight: See `halfcheetah_jump`.
        max_speed: See `halfcheetah_jump`.
        literal_max: See `halfcheetah_jump`.
    """
    del obs  # Unused.
    velocity = info["x_velocity"]
    run = velocity.clip(min=max_speed) if literal_max else velocity.clip(max=max_speed)
    return {
        "reward_forward": run,
        "reward_ctrl": -CONTROL_COST * (action**2).sum(-1),
        "reward_jump": jump_weight * next_obs[..., HEIGHT],
    }
