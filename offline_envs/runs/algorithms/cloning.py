"""Cloning at the start of a run: the behaviour of the dataset, or of a planner."""

from collections.abc import Iterable

from gymnasium.spaces import Box
from rich.console import Console
from rich.progress import track

from offline_envs.policies import ActsIn, as_policy, policy_from_spec
from offline_envs.runs.run import ModelRun
from offline_envs.sb3 import BehaviorCloner, Imitator


def clone_policy(run: ModelRun) -> None:
    """Fit the agent's policy to the dataset for the run's `clone_epochs`, or to what `clone_from` names.

    Args:
        run: The run; its agent is changed in place.
    """
    if run.settings.clone_from is None:
        _clone_dataset(run)
    else:
        _imitate(run, run.settings.clone_from)


def _clone_dataset(run: ModelRun) -> None:
    settings = run.settings
    cloner = BehaviorCloner(run.agent, run.transitions, loss=settings.clone_loss, seed=settings.seed)
    for _ in _shown(run, range(settings.clone_epochs), "Cloning the dataset's behaviour"):
        cloner.train(cloner.steps_per_epoch)


def _imitate(run: ModelRun, expert: str) -> None:
    settings, space = run.settings, run.learned.single_action_space
    assert isinstance(space, Box)
    policy = as_policy(policy_from_spec(expert, ActsIn(space, settings.seed, run.learned.mdp)))
    imitator = Imitator(
        run.agent,
        policy,
        within=run.learned,
        rows=settings.clone_rows,
        horizon=settings.clone_horizon,
        epochs=settings.clone_epochs,
        loss=settings.clone_loss,
        seed=settings.seed,
    )
    for _ in _shown(run, range(settings.clone_rounds), f"Imitating {expert.partition(':')[0]}"):
        imitator.round()


def _shown(run: ModelRun, rounds: Iterable[int], title: str) -> Iterable[int]:
    console = Console(stderr=True, quiet=not run.show_progress)
    return track(rounds, title, console=console, disable=not run.show_progress)
