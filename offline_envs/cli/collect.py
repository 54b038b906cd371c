"""`offline-envs collect`: make a dataset with a random, a trained or a loaded policy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from offline_envs.agents import online_agents, saved_agents
from offline_envs.cli.terminal.options import (
    INTERRUPTED,
    LEARNED_ENV,
    LearnedEnv,
    LearnedKwargs,
    check_learned_options,
    learned_mdp,
    parse_json,
)
from offline_envs.collect import CollectSettings, Kind
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    from offline_envs.collect import Collected, PlanningModel

LOADING = ("task", "columns", "env_id", "history")
"""Keywords of a learned environment by which a dataset is loaded."""

AgentName = Annotated[
    str,
    typer.Option(
        help=f"Agent to train: {', '.join(online_agents())}. With --policy, the agent that "
        f"saved it, also {', '.join(name for name in saved_agents() if name not in online_agents())}."
    ),
]

PolicyOrPlanner = Annotated[
    str | None,
    typer.Option(
        help="Stable-Baselines3 .zip to roll out instead of training; it can run code: trust it. Or a "
        "planner, e.g. cem:horizon=15, in a model of --learned-from."
    ),
]
LearnedFrom = Annotated[str | None, typer.Option(help="Dataset in whose model a planner plans.")]


def collect(
    env_id: Annotated[str, typer.Argument(help="Gymnasium environment, e.g. Hopper-v5.")],
    dataset_id: Annotated[str, typer.Argument(help="Id of the new dataset, e.g. my/hopper-replay-v0.")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="random: uniform actions. replay: every step of an agent trained from scratch. "
            "expert: rollouts of the best policy of a training. medium: of one a third of the way there."
        ),
    ],
    steps: Annotated[int, typer.Option(help="Steps to write.", min=1)],
    seed: Annotated[int, typer.Option(help="The same seed gives the same dataset.", min=0)] = 0,
    agent: AgentName = "sac",
    net_arch: Annotated[str, typer.Option(help="Widths of the hidden layers.")] = "256,256",
    policy: PolicyOrPlanner = None,
    learned_from: LearnedFrom = None,
    learned_env: LearnedEnv = LEARNED_ENV,
    learned_kwargs: LearnedKwargs = "{}",
    train_steps: Annotated[
        int | None,
        typer.Option(help="Training steps for medium and expert.", show_default="100000", min=1),
    ] = None,
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic/--stochastic", help="Mean actions of the policy, or sampled ones."),
    ] = False,
    env_kwargs: Annotated[str, typer.Option(help="Keywords of the environment, as JSON.")] = "{}",
    output_root: Annotated[
        Path | None, typer.Option(help="Folder of datasets to write into.", show_default="Minari's own")
    ] = None,
) -> None:
    """Collect a dataset: train or load a policy, and write its steps in Minari's format.

    After Ctrl-C, run the same command again to resume, even the training for medium and expert.

    An existing dataset is never overwritten; an unfinished one is in a hidden folder beside its destination.
    """
    settings = CollectSettings(
        kind=kind,
        steps=steps,
        seed=seed,
        agent=agent,
        net_arch=_parse_widths(net_arch),
        policy=policy,
        train_steps=train_steps,
        deterministic=deterministic,
        env_kwargs=parse_json(env_kwargs, "--env-kwargs"),
    )
    check_learned_options(policy, learned_env, learned_kwargs, learned_from=learned_from)
    root = _checked_root(dataset_id, output_root)
    plans = settings.plans and learned_from is not None
    choice = str(learned_from), learned_env, learned_kwargs
    learned = _planning_model(env_id, settings, *choice) if plans else None
    console = Console()
    try:
        collected = _collect_with_progress(env_id, dataset_id, settings, learned, root, console)
    except KeyboardInterrupt:
        console.print("Interrupted. Run the same command again to resume.")
        raise typer.Exit(INTERRUPTED) from None
    console.print(_table(collected))


def _checked_root(dataset_id: str, output_root: Path | None) -> Path:
    """The folder of datasets, in which this one may be written; known before a model is fitted."""
    from offline_envs.collect import check_place
    from offline_envs.data import minari_root
    from offline_envs.files import check_writable

    root = minari_root() if output_root is None else output_root
    check_writable(root / dataset_id, "--output-root")
    check_place(dataset_id, root)
    return root


def _planning_model(
    env_id: str, settings: CollectSettings, dataset: str, learned_env: str, learned_kwargs: str
) -> "PlanningModel":
    """The model that a planner plans in; what can be refused without it is refused before it is fitted."""
    from offline_envs.collect import PlanningModel, check_planned, make_collected
    from offline_envs.dynamics import model_identity
    from offline_envs.tasks import task_transitions

    kwargs = parse_json(learned_kwargs, "--learned-kwargs")
    loading: dict[str, Any] = {name: kwargs.pop(name) for name in LOADING if name in kwargs}
    with make_collected(env_id, settings) as env:
        transitions = task_transitions(dataset, **loading)
        check_planned(env, settings, transitions)
    mdp = learned_mdp(transitions, learned_env, kwargs)
    method = {"env": learned_env, "kwargs": loading | kwargs}
    weights = model_identity(mdp.members.model)["weights"]
    return PlanningModel(mdp, {**method, "dataset": transitions.fingerprint, "weights": weights})


def _collect_with_progress(
    env_id: str,
    dataset_id: str,
    settings: CollectSettings,
    learned: "PlanningModel | None",
    root: Path,
    console: Console,
) -> "Collected":
    from offline_envs.collect import collect_dataset

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{settings.kind} {env_id}", total=settings.training_length + settings.steps)
        return collect_dataset(
            env_id,
            dataset_id,
            settings=settings,
            output_root=root,
            learned=learned,
            on_step=lambda: progress.advance(task),
            on_resume=lambda done: progress.reset(task, completed=done),
        )


def _table(collected: "Collected") -> Table:
    table = Table(title=escape(collected.dataset_id), show_header=False)
    table.add_row("steps, episodes", f"{collected.lengths.sum()}, {len(collected.lengths)}")
    table.add_row("mean, best return", f"{collected.returns.mean():.1f}, {collected.returns.max():.1f}")
    table.add_row("size", f"{collected.megabytes:.2f} MB")
    table.add_row("folder", escape(str(collected.folder)))
    return table


def _parse_widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError as error:
        raise SettingsError(
            f"net-arch must be integers separated by commas, e.g. 64,64; got {text!r}."
        ) from error
