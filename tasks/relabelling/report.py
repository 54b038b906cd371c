"""`RelabelReport`: what relabelling did to a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gymnasium.envs.registration import EnvSpec

from offline_envs.data import Transitions
from offline_envs.tasks.relabelling.needed_infos import InfoSource
from offline_envs.tasks.task import Task
from offline_envs.versions import versions


@dataclass(frozen=True)
class RelabelReport:
    """A dataset before and after relabelling; returns are undiscounted.

    Attributes:
        dataset: Description of the data before.
        fingerprint: Fingerprint of the data before, see `Transitions.fingerprint`.
        env_spec: Environment of the data before as JSON, None if unknown.
        metadata: Metadata of the data before, with the provenance of an earlier relabelling if there was one.
        task: The string that `find_task` reads.
        formula: The task's reward in words.
        source: Where the task comes from.
        rows: Number of steps.
        episodes: Number of episodes.
        mean_before: Mean episode return as logged.
        best_before: Best episode return as logged.
        mean_after: Mean episode return of the task.
        best_after: Best episode return of the task.
        infos: Where each info that the task needs was taken from.
        notes: Assumptions made and columns cut.
    """

    dataset: str
    fingerprint: str
    env_spec: str | None
    metadata: Mapping[str, Any]
    task: str
    formula: str
    source: str
    rows: int
    episodes: int
    mean_before: float
    best_before: float
    mean_after: float
    best_after: float
    infos: tuple[InfoSource, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        before: Transitions,
        after: Transitions,
        task: Task,
        *,
        env_spec: EnvSpec | None,
        infos: tuple[InfoSource, ...],
        notes: tuple[str, ...],
    ) -> Self:
        """Compare a dataset, of the environment `env_spec`, with what relabelling made of it."""
        return cls(
            dataset=before.source,
            fingerprint=before.fingerprint,
            env_spec=None if env_spec is None else env_spec.to_json(),
            metadata=before.metadata,
            task=str(task),
            formula=task.formula,
            source=task.source,
            rows=len(after),
            episodes=len(after.episode_starts),
            mean_before=float(before.episode_returns.mean()),
            best_before=float(before.episode_returns.max()),
            mean_after=float(after.episode_returns.mean()),
            best_after=float(after.episode_returns.max()),
            infos=infos,
            notes=notes,
        )

    def provenance(self) -> dict[str, Any]:
        """Return what the metadata of a relabelled dataset say about its origin, as JSON values."""
        return {
            "relabelled_from": self.dataset,
            "source_fingerprint": self.fingerprint,
            "source_env_spec": self.env_spec,
            "source_metadata": dict(self.metadata),
            "algorithm_name": self.metadata.get("algorithm_name", "unknown"),
            "task": self.task,
            "reward_formula": self.formula,
            "info_sources": {info.name: str(info) for info in self.infos},
            "relabelling_notes": list(self.notes),
            "offline_envs_version": versions()["offline-envs"],
        }
