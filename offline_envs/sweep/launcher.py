"""`Launcher`: what runs the tasks of a sweep."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

Report = Callable[[Mapping[str, Any], Path], object]
"""Takes the row and the folder of an evaluation, see `offline_envs.runs.OnEvaluation`."""


Stopped = Callable[[str, int], object]
"""Takes the name of a run that was stopped early and the gradient steps that it had taken."""


class Launcher(Protocol):
    """Calls a function with each of several tasks, somewhere, and waits for them."""

    def fit(self, function: Callable[[Any], None], tasks: Sequence[Any]) -> None:
        """Call `function(task)` with each task.

        Raises:
            Exception: What a call raised.
        """

    def train(
        self, function: Callable[[Any, Report], None], tasks: Mapping[str, Any], steps: int, stopped: Stopped
    ) -> None:
        """Call `function(task, report)` with each task, where `report` takes each evaluation.

        Args:
            function: It returns when the run is complete; it is called again if its process dies.
            tasks: Its arguments, by the names of the runs.
            steps: Gradient steps of the longest run.
            stopped: What is told of each run that is stopped early, when that happens.

        Raises:
            OfflineEnvsError: Runs that failed, after the others have ended.
        """
