"""States of Gymnasium's MuJoCo environments from their observations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Recovery = Callable[[Vector, int, int], tuple[Vector, Vector]]
"""Computes qpos `(nq,)` and qvel `(nv,)` from an observation `(d,)` and their sizes."""

VELOCITY_LIMIT = 10.0
"""Bound at which Hopper, Walker2d and InvertedDoublePendulum clip the velocities in observations."""


@dataclass(frozen=True)
class Restored:
    """Sets a MuJoCo environment to the state of an observation, and observes it.

    The solver's warm start is cleared, so that equal states have equal futures.

    Attributes:
        recover: Computes (qpos, qvel) from an observation.
    """

    recover: Recovery

    def __call__(self, env: Any, obs: Vector) -> Vector:
        """Set the bare environment to the state of `obs`, `(d,)`, and observe it, `(d,)`."""
        qpos, qvel = self.recover(obs, env.model.nq, env.model.nv)
        env.data.ctrl[:] = 0.0
        env.data.qacc_warmstart[:] = 0.0
        env.set_state(qpos, qvel)
        observed: Vector = env._get_obs()
        return observed


@dataclass(frozen=True)
class PositionsThenVelocities:
    """Reads observations that begin with qpos, without its first entries, and then qvel.

    The omitted entries are root positions that the dynamics do not depend on; they are set to 0.

    Attributes:
        n_positions: Entries of qpos that are shown.
        n_velocities: Entries of qvel.
    """

    n_positions: int
    n_velocities: int

    def __call__(self, obs: Vector, nq: int, nv: int) -> tuple[Vector, Vector]:
        """See `Recovery`."""
        assert nv == self.n_velocities
        shown, end = self.n_positions, self.n_positions + nv
        return np.concatenate([np.zeros(nq - shown), obs[:shown]]), obs[shown:end].copy()


def double_pendulum(obs: Vector, nq: int, nv: int) -> tuple[Vector, Vector]:
    """Read (x, sin θ₁, sin θ₂, cos θ₁, cos θ₂, velocities, constraint force of the cart)."""
    assert (nq, nv) == (3, 3)
    angles = np.arctan2(obs[1:3], obs[3:5])
    return np.concatenate([obs[:1], angles]), obs[5:8].copy()
