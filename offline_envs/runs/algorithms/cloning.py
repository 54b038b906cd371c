"""Behaviour cloning at the start of a run."""

from rich.console import Console
from rich.progress import track

from offline_envs.runs.run import ModelRun
from offline_envs.sb3 import BehaviorCloner


def clone_policy(run: ModelRun) -> None:
    """Fit the agent's policy to the dataset for the run's `clone_epochs`.

    Args:
        run: The run; its agent is changed in place.
    """
    settings = run.settings
    cloner = BehaviorCloner(run.agent, run.transitions, loss=settings.clone_loss, seed=settings.seed)
    for _ in track(
        range(settings.clone_epochs),
        "Cloning the dataset's behaviour",
        console=Console(stderr=True, quiet=not run.show_progress),
        disable=not run.show_progress,
    ):
        cloner.train(cloner.steps_per_epoch)
