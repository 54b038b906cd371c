"""Velocities that a task needs and that data may not hold: logged, from the reward, or from observations."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.data import Transitions
from offline_envs.tasks.task import Task

Values = NDArray[np.float64]

LOGGED, REWARD, OBSERVED = "logged infos", "logged reward", "observations"
EXACT = "exact to float32 rounding"

OBSERVED_RMSE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"HalfCheetah-v5": (0.18, 0.34), "Ant-v5": (0.07, 0.08)}
)
"""Environment → error of the mean of the velocities observed before and after a step, root mean square in
m/s: the smallest and the largest of 20 000 steps of uniform actions (0.18 of a standard deviation of 0.65 for
HalfCheetah, 0.08 of 0.64 for Ant) and of replay buffers of 250 000 steps and more (0.34 of 2.16, 0.08 of
1.22)."""

INVERTIBLE = ("HalfCheetah-v4", "HalfCheetah-v5")
"""Environments that pay forward_reward_weight · x_velocity − ctrl_cost_weight · |a|² and nothing else."""

ROUNDING = 1e-5
"""How near to a limit a velocity is at it [m/s]; rewards in float32 give velocities to some 5e-7."""

LEAST_AT_LIMIT = 3
"""Different steps at the same largest (or smallest) velocity that no uncapped reward has."""

MAX_BIAS = 0.1
"""Largest mean distance between true and observed velocities [m/s]; 0.01 in two replay buffers."""

MAX_SCATTER = 0.5
"""Largest deviation of that distance, as a share of the observed velocities' root mean square; 0.28 under
uniform actions and 0.1 in two replay buffers of HalfCheetah-v5."""


@dataclass(frozen=True)
class VelocitySource:
    """Where a velocity was taken from.

    Attributes:
        name: Name of the info.
        origin: `LOGGED`, `REWARD` or `OBSERVED`.
        error: What error to expect, in words.
        distance: Root mean square of its distance to the mean of the velocities observed before and after
            the step [m/s]; 0 where that mean was taken.
        remarks: Why nothing better was taken, one reason a source that was passed over.
    """

    name: str
    origin: str
    error: str
    distance: float
    remarks: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether its only error is rounding to float32."""
        return self.origin != OBSERVED

    def __str__(self) -> str:
        beside = f", {self.distance:.2g} m/s from the observed" if self.exact else ""
        passed_over = f" ({'; '.join(self.remarks)})" if self.remarks else ""
        return f"{self.name} from {self.origin}: {self.error}{beside}{passed_over}"


def find_velocity(transitions: Transitions, task: Task, name: str) -> tuple[Values, VelocitySource]:
    """Find a velocity over every step, from the best source that there is.

    First the info of that name, if it is finite everywhere. Then the logged reward, where the environment
    pays for the velocity and for the action alone; a reward that is capped, or that is far from the observed
    velocities, is not what the environment says that it is, and is passed over. Then the observations.

    Args:
        transitions: Data with the task's observations.
        task: The task.
        name: One of `task.needs`.

    Returns:
        The velocity in m/s, float64 `(n,)`, and where it was taken from.
    """
    column = task.velocity_columns[name]
    before, after = (_float64(t[:, column]) for t in (transitions.obs, transitions.next_obs))
    observed = (before + after) / 2
    remarks: list[str] = []
    for origin, find in ((LOGGED, _logged), (REWARD, _from_reward)):
        found = find(transitions, name, observed)
        if not isinstance(found, str):
            distance = _root_mean_square(found - observed)
            return found, VelocitySource(name, origin, EXACT, distance, tuple(remarks))
        remarks.append(found)
    return observed, VelocitySource(name, OBSERVED, _expected_error(task), 0.0, tuple(remarks))


def _expected_error(task: Task) -> str:
    if task.base_env_id not in OBSERVED_RMSE:
        return "an error of unknown size"
    low, high = OBSERVED_RMSE[task.base_env_id]
    return f"an error of {low:g} to {high:g} m/s, root mean square"


def _logged(transitions: Transitions, name: str, observed: Values) -> Values | str:
    """The logged info, or why there is none."""
    if name not in transitions.infos:
        return f"no {name} is logged"
    values = _float64(transitions.infos[name])
    if values.shape != observed.shape:
        return f"the logged {name} is not one number a step"
    n_bad = int((~np.isfinite(values)).sum())
    return f"the logged {name} is not finite in {n_bad} rows" if n_bad else values


def _from_reward(transitions: Transitions, name: str, observed: Values) -> Values | str:
    """The velocity for which the reward was paid, or why it cannot be told."""
    spec = transitions.env_spec
    if spec is None or spec.id not in INVERTIBLE or name != "x_velocity":
        return f"the reward of {transitions.env_id or 'an unknown environment'} does not tell it"
    forward = float(spec.kwargs.get("forward_reward_weight", 1.0))
    control = float(spec.kwargs.get("ctrl_cost_weight", 0.1))
    if forward == 0:
        return "the logged reward does not pay for it"
    velocity: Values = (_float64(transitions.rewards) + control * _squared_norm(transitions)) / forward
    return _why_untrue(velocity, observed, transitions) or velocity


def _why_untrue(velocity: Values, observed: Values, transitions: Transitions) -> str:
    """Why velocities cannot be those of the data; empty if they can."""
    for limit in (velocity.max(), velocity.min()):
        rows = np.flatnonzero(np.abs(velocity - limit) < ROUNDING)
        # Copies of an episode reach their largest velocity together; a few rows tell them from a cap.
        if len(np.unique(transitions.obs.numpy()[rows[:100]], axis=0)) >= LEAST_AT_LIMIT:
            return f"the logged reward is capped: {len(rows)} rows give a velocity of {limit:.4g} m/s"
    distance = velocity - observed
    bias, scatter = abs(distance.mean()), distance.std() / _root_mean_square(observed)
    if not (bias <= MAX_BIAS and scatter <= MAX_SCATTER):
        return (
            "the logged reward does not fit the observed velocities "
            f"(they differ by {_root_mean_square(distance):.2g} m/s, root mean square)"
        )
    return ""


def _squared_norm(transitions: Transitions) -> Values:
    norm: Values = (_float64(transitions.actions) ** 2).sum(axis=1)
    return norm


def _root_mean_square(values: Values) -> float:
    return float(np.sqrt((values**2).mean()))


def _float64(tensor: Any) -> Values:
    values: Values = tensor.numpy().astype(np.float64)
    return values
