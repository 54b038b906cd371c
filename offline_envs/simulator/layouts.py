"""`ObsLayout`: how a simulator is set to the state that an observation determines, and the table of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.simulator import classic_control, mujoco
from offline_envs.simulator.mujoco import VELOCITY_LIMIT
from offline_envs.tasks import EnvTable

Restore = Callable[[Any, NDArray[np.float64]], NDArray[Any]]
"""Sets a bare environment to the state that an observation `(d,)` determines; returns what it observes."""

WHOLE: Mapping[str, slice] = MappingProxyType({"all": slice(None)})
"""One group of all dimensions."""


@dataclass(frozen=True)
class ObsLayout:
    """Composition of a known environment's observations.

    Attributes:
        restore: Sets the environment, without its wrappers, to the state of an observation, and observes it.
        obs_dim: Number of observation dimensions, d; of those that tell the state where more may follow.
        groups: Names of dimensions that belong together, and their indices: those that tell the state.
        clipped: Whether velocities are clipped at ±`VELOCITY_LIMIT`.
    """

    restore: Restore
    obs_dim: int
    groups: Mapping[str, slice] = field(default_factory=lambda: WHOLE)
    clipped: bool = False

    def is_exact(self, obs: NDArray[Any]) -> NDArray[np.bool_]:
        """Mask of the observations `(..., d)` that determine the state: those without a clipped velocity."""
        if not self.clipped:
            return np.ones(obs.shape[:-1], dtype=np.bool_)
        inside: NDArray[np.bool_] = np.abs(obs[..., self.groups["velocities"]]) < VELOCITY_LIMIT
        exact: NDArray[np.bool_] = np.all(inside, axis=-1)
        return exact

    def difference(self, one: NDArray[Any], other: NDArray[Any]) -> float:
        """Largest difference of two observations `(d,)` in what tells the state, relative if above 1.

        NaN if one of them is not finite.
        """
        columns = np.concatenate([np.arange(len(one))[group] for group in self.groups.values()])
        a, b = (np.asarray(obs, np.float64)[columns] for obs in (one, other))
        return float(np.max(np.abs(a - b) / np.maximum(1.0, np.abs(b))))


def _robot(n_positions: int, n_velocities: int, *, clipped: bool = False) -> ObsLayout:
    d = n_positions + n_velocities
    groups = {"positions": slice(0, n_positions), "velocities": slice(n_positions, d)}
    recover = mujoco.PositionsThenVelocities(n_positions, n_velocities)
    return ObsLayout(mujoco.Restored(recover), d, MappingProxyType(groups), clipped)


def _named(restore: Restore, obs_dim: int, **groups: slice) -> ObsLayout:
    return ObsLayout(restore, obs_dim, MappingProxyType(groups))


def _double_pendulum(obs_dim: int) -> ObsLayout:
    groups = {"positions": slice(0, 5), "velocities": slice(5, 8)}
    restore = mujoco.Restored(mujoco.double_pendulum)
    return ObsLayout(restore, obs_dim, MappingProxyType(groups), clipped=True)


_ROBOTS = {
    "Ant": _robot(13, 14),
    "HalfCheetah": _robot(8, 9),
    "Hopper": _robot(5, 6, clipped=True),
    "Humanoid": _robot(22, 23),
    "HumanoidStandup": _robot(22, 23),
    "InvertedPendulum": _robot(2, 2),
    "Swimmer": _robot(3, 5),
    "Walker2d": _robot(8, 9, clipped=True),
}
"""The same in both versions, v4 and v5."""

_GYMNASIUM_LAYOUTS: Mapping[str, ObsLayout] = MappingProxyType(
    {
        **{f"{name}-v{version}": layout for version in (5, 4) for name, layout in _ROBOTS.items()},
        "InvertedDoublePendulum-v5": _double_pendulum(9),
        "InvertedDoublePendulum-v4": _double_pendulum(11),
        "Acrobot-v1": _named(classic_control.acrobot, 6, positions=slice(0, 4), velocities=slice(4, 6)),
        "CartPole-v1": _named(
            classic_control.cart_pole, 4, positions=slice(0, 4, 2), velocities=slice(1, 4, 2)
        ),
        "MountainCar-v0": _named(
            classic_control.mountain_car, 2, positions=slice(0, 1), velocities=slice(1, 2)
        ),
        "MountainCarContinuous-v0": _named(
            classic_control.mountain_car, 2, positions=slice(0, 1), velocities=slice(1, 2)
        ),
        "Pendulum-v1": _named(classic_control.pendulum, 3, positions=slice(0, 2), velocities=slice(2, 3)),
    }
)

LAYOUTS: EnvTable[ObsLayout] = EnvTable(
    "environment whose observations determine its state", _GYMNASIUM_LAYOUTS
)
"""Exact environment id → layout of its observations with default settings.

Ant and Humanoid may show more, such as contact forces, behind what tells the state. The environment of a task
has the layout of its base environment.
"""
