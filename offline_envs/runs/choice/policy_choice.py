"""`PolicyChoice`: keeps the policy of a run whose figure is the best so far."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.files import delete, write_bytes
from offline_envs.runs.results import MetricsRow
from offline_envs.sb3 import save_policy

CHOSEN_POLICY = "chosen_policy.zip"


class PolicyChoice:
    """Keeps the policy whose figure is the best so far.

    Args:
        path: Where that policy is kept.
        figure: Gives the figure of the current policy.
        rows: Evaluations of an earlier, interrupted part of the run.
        saved: Where a checkpoint keeps the policy of these evaluations; None for a new run.
    """

    def __init__(
        self, path: Path, figure: Callable[[], float], rows: Sequence[MetricsRow], *, saved: Path | None
    ) -> None:
        self._path, self._figure = path, figure
        best = best_row(rows)
        self._best = -math.inf if best is None or best.choice_figure is None else best.choice_figure
        # A policy of evaluations after the checkpoint is not one of this run: they are made again.
        delete(path)
        if saved is not None and saved.exists():
            write_bytes(path, saved.read_bytes())

    def consider(self, agent: BaseAlgorithm) -> float:
        """Keep an agent's policy if it is the best so far, or the first; returns its figure."""
        figure = self._figure()
        if figure > self._best or not self._path.exists():
            save_policy(agent, self._path)
        self._best = max(self._best, -math.inf if math.isnan(figure) else figure)
        return figure

    def save(self, folder: Path) -> None:
        """Write the policy into the folder of a checkpoint."""
        if self._path.exists():
            write_bytes(folder / CHOSEN_POLICY, self._path.read_bytes())


def best_row(rows: Sequence[MetricsRow]) -> MetricsRow | None:
    """The evaluation whose policy is chosen: the first of the best figure, or the first if all are NaN."""
    judged = [row for row in rows if row.choice_figure is not None]
    known = [row for row in judged if row.choice_figure is not None and not math.isnan(row.choice_figure)]
    if not known:
        return judged[0] if judged else None
    return max(known, key=lambda row: float(row.choice_figure or 0.0))
