"""`BaseEnv`: what relabelling knows of a base environment, one record each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

T = TypeVar("T")

REWARD_TERM = "reward_"
"""Prefix of infos that hold a part of a reward, in Gymnasium's MuJoCo environments and in tasks."""


@dataclass(frozen=True)
class BaseEnv:
    """What relabelling knows of an environment; the rest follows from its class, see `base_class`.

    Without a record a task works too: no info is inferred from the reward, no columns are cut, and the error
    of an estimate from observations is unknown.

    Attributes:
        env_id: Its id.
        older: Versions that differ from it only in rewards, infos and keywords, according to Gymnasium's
            version history.
        appended: Numbers of columns that versions of it append to the observation.
        velocity_columns: Info → column of the observation that shows this velocity at one instant [m/s].
        control_cost: Its default `ctrl_cost_weight`.
        rewards_velocity_only: Whether its reward is only forward_reward_weight · x_velocity −
            ctrl_cost_weight · |a|², so that the velocity follows from a logged reward.
        observed_rmse: Error of the mean of the velocities observed before and after a step, root mean square
            in m/s: the smallest and the largest that was measured.
    """

    env_id: str
    older: tuple[str, ...] = ()
    appended: tuple[int, ...] = ()
    velocity_columns: Mapping[str, int] = field(default_factory=dict)
    control_cost: float = 0.0
    rewards_velocity_only: bool = False
    observed_rmse: tuple[float, float] | None = None

    @property
    def env_ids(self) -> tuple[str, ...]:
        """Its id and those of its older versions."""
        return (self.env_id, *self.older)


HALFCHEETAH = BaseEnv(
    env_id="HalfCheetah-v5",
    older=("HalfCheetah-v4",),
    velocity_columns={"x_velocity": 8},
    control_cost=0.1,
    rewards_velocity_only=True,
    # 20 000 steps of uniform actions, standard deviation 0.65; a replay buffer of 250 000, 2.16.
    observed_rmse=(0.18, 0.34),
)

ANT = BaseEnv(
    env_id="Ant-v5",
    older=("Ant-v4",),
    appended=(78, 84),  # contact forces, six each, of 13 bodies (Ant-v5) or 14 (Ant-v4 if asked, D4RL)
    velocity_columns={"x_velocity": 13, "y_velocity": 14},
    control_cost=0.5,
    # 20 000 steps of uniform actions, standard deviation 0.64; a replay buffer of 350 000, 1.22.
    observed_rmse=(0.07, 0.08),
)

BASE_ENVS: Mapping[str, BaseEnv] = MappingProxyType({known.env_id: known for known in (HALFCHEETAH, ANT)})
"""Exact environment id → what is known of it."""


def base_env(env_id: str) -> BaseEnv:
    """Return the record of an environment, or an empty one."""
    return BASE_ENVS.get(env_id, BaseEnv(env_id))


def without_reward_terms(infos: Mapping[str, T]) -> dict[str, T]:
    """Return the infos that are not part of a reward."""
    return {name: values for name, values in infos.items() if not name.startswith(REWARD_TERM)}
