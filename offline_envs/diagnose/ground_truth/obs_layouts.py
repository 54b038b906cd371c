"""`ObsLayout`: recovers a MuJoCo simulator's state from observations that determine it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.tasks import EnvTable

Vector = NDArray[np.float64]
Recovery = Callable[[Vector, int, int], tuple[Vector, Vector]]
"""Computes qpos `(nq,)` and qvel `(nv,)` from an observation `(d,)` and their sizes."""

VELOCITY_LIMIT = 10.0
"""Bound at which Hopper, Walker2d and InvertedDoublePendulum clip the velocities in observations."""


@dataclass(frozen=True)
class ObsLayout:
    """Composition of a known environment's observations.

    Attributes:
        recover: Computes (qpos, qvel) from an observation.
        groups: Names of dimensions that belong together, and their indices.
        clipped: Whether velocities are clipped at ±`VELOCITY_LIMIT`.
        obs_dim: Number of observation dimensions, d.
    """

    recover: Recovery
    groups: Mapping[str, slice]
    clipped: bool
    obs_dim: int

    def is_exact(self, obs: NDArray[Any]) -> NDArray[np.bool_]:
        """Mask of the observations `(..., d)` that determine the state: those without a clipped velocity."""
        if not self.clipped:
            return np.ones(obs.shape[:-1], dtype=np.bool_)
        inside: NDArray[np.bool_] = np.abs(obs[..., self.groups["velocities"]]) < VELOCITY_LIMIT
        exact: NDArray[np.bool_] = np.all(inside, axis=-1)
        return exact


def positions_then_velocities(obs: Vector, nq: int, nv: int) -> tuple[Vector, Vector]:
    """Read an observation that is qpos without its first entries, then qvel.

    The omitted entries are root positions that the dynamics do not depend on; they are set to 0.
    """
    shown = len(obs) - nv
    return np.concatenate([np.zeros(nq - shown), obs[:shown]]), obs[shown:].copy()


def double_pendulum(obs: Vector, nq: int, nv: int) -> tuple[Vector, Vector]:
    """Read (x, sin θ₁, sin θ₂, cos θ₁, cos θ₂, velocities, constraint force of the cart)."""
    assert (nq, nv) == (3, 3)
    angles = np.arctan2(obs[1:3], obs[3:5])
    return np.concatenate([obs[:1], angles]), obs[5:8].copy()


def _plain(n_positions: int, n_velocities: int, *, clipped: bool = False) -> ObsLayout:
    d = n_positions + n_velocities
    groups = {"positions": slice(0, n_positions), "velocities": slice(n_positions, d)}
    return ObsLayout(positions_then_velocities, MappingProxyType(groups), clipped, d)


_GYMNASIUM_LAYOUTS: Mapping[str, ObsLayout] = MappingProxyType(
    {
        "Ant-v5": _plain(13, 14),
        "HalfCheetah-v5": _plain(8, 9),
        "Hopper-v5": _plain(5, 6, clipped=True),
        "InvertedDoublePendulum-v5": ObsLayout(
            double_pendulum,
            MappingProxyType({"positions": slice(0, 5), "velocities": slice(5, 8)}),
            clipped=True,
            obs_dim=9,
        ),
        "InvertedPendulum-v5": _plain(2, 2),
        "Swimmer-v5": _plain(3, 5),
        "Walker2d-v5": _plain(8, 9, clipped=True),
    }
)

LAYOUTS: EnvTable[ObsLayout] = EnvTable(
    "environment whose observations determine its state", _GYMNASIUM_LAYOUTS
)
"""Exact environment id → layout of its observations with default settings; Ant without contact forces.

The environment of a task has the layout of its base environment.
"""
