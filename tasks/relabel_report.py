"""`RelabelReport`: what relabelling did to a dataset."""

from dataclasses import dataclass
from typing import Any, Self

import offline_envs
from offline_envs.data import Transitions
from offline_envs.tasks.task import Task
from offline_envs.tasks.velocities import VelocitySource


@dataclass(frozen=True)
class RelabelReport:
    """What a task made of a dataset; returns are undiscounted.

    Attributes:
        dataset: The data before, in words.
        task: The text that `find_task` reads.
        formula: The task's reward in words.
        source: Where the task comes from.
        rows: Number of steps.
        episodes: Number of episodes.
        mean_before: Mean episode return as logged.
        best_before: Best episode return as logged.
        mean_after: Mean episode return of the task.
        best_after: Best episode return of the task.
        velocities: Where each velocity was taken from.
        notes: What was assumed or cut.
    """

    dataset: str
    task: str
    formula: str
    source: str
    rows: int
    episodes: int
    mean_before: float
    best_before: float
    mean_after: float
    best_after: float
    velocities: tuple[VelocitySource, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        before: Transitions,
        after: Transitions,
        task: Task,
        *,
        velocities: tuple[VelocitySource, ...],
        notes: tuple[str, ...],
    ) -> Self:
        """Compare a dataset with what relabelling made of it; see the attributes."""
        return cls(
            dataset=before.source,
            task=str(task),
            formula=task.formula,
            source=task.source,
            rows=len(after),
            episodes=len(after.episode_starts),
            mean_before=float(before.episode_returns.mean()),
            best_before=float(before.episode_returns.max()),
            mean_after=float(after.episode_returns.mean()),
            best_after=float(after.episode_returns.max()),
            velocities=velocities,
            notes=notes,
        )

    def provenance(self) -> dict[str, Any]:
        """What the metadata of a relabelled dataset say of its origin, as JSON values."""
        return {
            "relabelled_from": self.dataset,
            "task": self.task,
            "reward_formula": self.formula,
            "velocity_sources": {velocity.name: str(velocity) for velocity in self.velocities},
            "relabelling_notes": list(self.notes),
            "offline_envs_version": offline_envs.__version__,
        }
