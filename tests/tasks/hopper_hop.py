"""A task for tests, on a body that the package has no record of."""

from functools import partial
from typing import Any

from offline_envs.tasks import Info, Task, changed_settings

ENTRY = ("HopperHop-v0", "tests.tasks.hopper_hop:hopper_hop")
HEIGHT = 0  # obs: height of the torso [m]
X_VELOCITY = 5  # obs: velocity of the torso along x at the end of the step [m/s]


def hopper_hop(*, hop_weight: float = 2.0) -> Task:
    """Make the task."""
    settings: dict[str, Any] = {"hop_weight": float(hop_weight)}
    return Task(
        name="hopper-hop",
        env_id="HopperHop-v0",
        base_env_id="Hopper-v5",
        reward_terms=partial(reward_terms, **settings),
        formula=f"vx + {hop_weight:g} z",
        source="These tests.",
        obs_dim=11,
        needs=("x_velocity",),
        velocity_columns={"x_velocity": X_VELOCITY},
        settings=changed_settings(hopper_hop, settings),
    )


def reward_terms(obs: Any, action: Any, next_obs: Any, info: Info, *, hop_weight: float) -> dict[str, Any]:
    """Reward of speed and of height; see `RewardTerms`."""
    del obs, action  # Unused.
    return {"reward_forward": info["x_velocity"], "reward_hop": hop_weight * next_obs[..., HEIGHT]}
