"""Infos that a task needs and that data may not hold: logged, from the reward, or from observations."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from offline_envs.data import Transitions
from offline_envs.errors import DatasetError
from offline_envs.tasks.base_env import BaseEnv, base_env
from offline_envs.tasks.relabelling.plausibility import (
    Values,
    root_mean_square,
    why_capped,
    why_doubtful,
    why_not_observed,
    why_other_cost,
    why_other_step,
)
from offline_envs.tasks.task import Task

LOGGED, REWARD, OBSERVED = "logged infos", "logged reward", "observations"
EXACT = "exact to float32 rounding"
UNCHECKED = "as logged, for no observation shows it"


@dataclass(frozen=True)
class InfoSource:
    """Where an info was taken from.

    Attributes:
        name: Name of the info.
        origin: `LOGGED`, `REWARD` or `OBSERVED`.
        error: What error to expect, in words.
        distance: Root mean square of its distance to the mean of the values observed before and after the
            step; 0 where that mean was taken, None where nothing is observed.
        remarks: Why nothing better was taken, one reason per source that was skipped.
        doubted: Whether the info is logged but was skipped, because it does not fit the observations.
    """

    name: str
    origin: str
    error: str
    distance: float | None
    remarks: tuple[str, ...] = ()
    doubted: bool = False

    @property
    def exact(self) -> bool:
        """Whether its only error is rounding to float32."""
        return self.origin != OBSERVED

    def __str__(self) -> str:
        beside = f", {self.distance:.2g} m/s from the observed" if self.exact and self.distance else ""
        passed_over = f" ({'; '.join(self.remarks)})" if self.remarks else ""
        return f"{self.name} from {self.origin}: {self.error}{beside}{passed_over}"


def find_info(transitions: Transitions, task: Task, name: str) -> tuple[Values, InfoSource]:
    """Find an info of every step, from the best available source.

    First the info of that name, if it is finite everywhere and fits the observations. Then, for a velocity,
    the logged reward, where the reward depends on it and on the action alone; a reward that is capped, that
    is far from the observed velocities or that has another control cost is not the one that the environment's
    id implies, and is skipped. Then the observations. An info without a column among them can only
    be logged, and nothing checks it.

    Args:
        transitions: Data with the task's observations.
        task: The task.
        name: One of `task.needs`.

    Returns:
        The info, in m/s if it is a velocity, float64 `(n,)`, and where it was taken from.

    Raises:
        DatasetError: The info is not logged and no observation shows it; the message says how to log it.
    """
    logged = _logged(transitions, name)
    if name not in task.velocity_columns:
        if isinstance(logged, str):
            raise DatasetError(
                f"{task} needs {name} of every step, which no observation shows. {transitions.source}: "
                f"{logged}. {task.how_to_collect}"
            )
        return logged, InfoSource(name, LOGGED, UNCHECKED, None)
    observed = _observed(transitions, task.velocity_columns[name])
    base, remarks, doubted = base_env(task.base_env_id), [], False
    if not isinstance(logged, str):
        why = why_doubtful(logged, observed, max(base.observed_rmse or (0.0,)))
        if not why:
            return logged, InfoSource(name, LOGGED, EXACT, root_mean_square(logged - observed))
        logged, doubted = f"the logged {name} {why}", True
    remarks.append(logged)
    implied = _from_reward(transitions, base, name, observed)
    if not isinstance(implied, str):
        distance = root_mean_square(implied - observed)
        return implied, InfoSource(name, REWARD, EXACT, distance, tuple(remarks), doubted)
    remarks.append(implied)
    return observed, InfoSource(name, OBSERVED, _expected_error(base), 0.0, tuple(remarks), doubted)


def _observed(transitions: Transitions, column: int) -> Values:
    before, after = (_float64(t[:, column]) for t in (transitions.obs, transitions.next_obs))
    mean: Values = (before + after) / 2
    return mean


def _expected_error(base: BaseEnv) -> str:
    if base.observed_rmse is None:
        return "an error of unknown size"
    low, high = base.observed_rmse
    return f"an error of {low:g} to {high:g} m/s, root mean square"


def _logged(transitions: Transitions, name: str) -> Values | str:
    """Return the logged info, or the reason why there is none."""
    if name not in transitions.infos:
        return f"no {name} is logged"
    values = _float64(transitions.infos[name])
    if values.shape != (len(transitions),):
        return f"the logged {name} is not one number a step"
    n_bad = int((~np.isfinite(values)).sum())
    return f"the logged {name} is not finite in {n_bad} rows" if n_bad else values


def _from_reward(transitions: Transitions, base: BaseEnv, name: str, observed: Values) -> Values | str:
    """Return the velocity that the reward implies, or the reason why it cannot be inferred."""
    spec = transitions.env_spec
    if spec is None or spec.id not in base.env_ids or not base.rewards_velocity_only or name != "x_velocity":
        return f"the reward of {transitions.env_id or 'an unknown environment'} does not determine it"
    forward = float(spec.kwargs.get("forward_reward_weight", 1.0))
    control = float(spec.kwargs.get("ctrl_cost_weight", base.control_cost))
    if forward == 0:
        return "the logged reward does not depend on it"
    effort = (_float64(transitions.actions) ** 2).sum(axis=1)
    velocity: Values = (_float64(transitions.rewards) + control * effort) / forward
    why = (
        why_capped(velocity, transitions)
        or why_not_observed(velocity, observed)
        or why_other_step(velocity, observed)
        or why_other_cost(velocity, observed, transitions)
    )
    return f"the logged reward {why}" if why else velocity


def _float64(tensor: Any) -> Values:
    values: Values = tensor.numpy().astype(np.float64)
    return values
