"""What commands take from the run in whose folder a policy's file lies."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offline_envs.runs import RunSettings


def history_of(given: int | None, policy: str | None) -> int:
    """The history of the observations that a policy sees: the one given, or that of the policy's run.

    Args:
        given: --history.
        policy: The policy's file; None for no policy.
    """
    run = _run_of(policy) if given is None else None
    return (given or 1) if run is None else run.history


def task_of(given: str | None, policy: str | None) -> str | None:
    """The task whose reward a policy is for: the one given, or that of the policy's run, of which it is told.

    Args:
        given: --task.
        policy: The policy's file; None for no policy.
    """
    from offline_envs.files import say

    run = _run_of(policy) if given is None else None
    if run is None or run.task is None:
        return given
    say(f"Task of the policy's run: {run.task}")
    return run.task


def _run_of(policy: str | None) -> "RunSettings | None":
    """The settings of the run in whose folder a policy's file lies, if it does."""
    from offline_envs.errors import CheckpointError
    from offline_envs.runs import RunFolder

    if policy is None or not Path(policy).is_file():
        return None
    try:
        return RunFolder(Path(policy).resolve().parent.parent).settings()
    except CheckpointError:  # the file is in no run's folder
        return None
