"""`offline-envs diagnose`: a report on how good a model is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from offline_envs.cli.terminal.options import (
    POLICY_HELP,
    Agent,
    ColumnsOption,
    Dataset,
    Device,
    EnsembleJson,
    EnvId,
    EnvKwargs,
    FitJson,
    History,
    TaskName,
    TrustDataset,
    find_policy,
    given_once,
    parse_columns,
    parse_env,
    parse_json,
    parse_settings,
)
from offline_envs.cli.terminal.run_of_policy import history_of, task_of

if TYPE_CHECKING:
    from offline_envs.data import Transitions
    from offline_envs.diagnose import Advice
    from offline_envs.envs import Assembly, ModelOptions
    from offline_envs.policies import Predictor

TrainHorizon = Annotated[
    int | None,
    typer.Option(
        help="Horizon that you train with; penalties and halts are counted up to it.", show_default="5"
    ),
]
Horizon = Annotated[int | None, typer.Option(help="Longest horizon to measure.", show_default="50")]


def diagnose(
    dataset: Dataset,
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of a fitted model; without it, one is fitted or found in the cache."),
    ] = None,
    policy: Annotated[str | None, typer.Option(help=f"Also roll out a policy. {POLICY_HELP}")] = None,
    output: Annotated[Path, typer.Option(help="New folder for the report.")] = Path("diagnosis"),
    agent: Agent = "sac",
    columns: ColumnsOption = None,
    env_id: EnvId = None,
    env_kwargs: EnvKwargs = "{}",
    trust_dataset: TrustDataset = False,
    history: History = None,
    task: TaskName = None,
    termination: Annotated[
        str, typer.Option(help="When imagined episodes end: auto (the environment's rule), never, learned.")
    ] = "auto",
    train_horizon: TrainHorizon = None,
    horizon: Horizon = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same report.", min=0, show_default="0")
    ] = None,
    options: Annotated[
        str,
        typer.Option(
            help="Other settings as JSON: rows, rollouts, starts, episodes, penalty_members, disagreement; "
            "e.g. '{\"rollouts\": 100}'."
        ),
    ] = "{}",
    ensemble: EnsembleJson = "{}",
    fit_options: FitJson = "{}",
    device: Device = "cpu",
) -> None:
    """Compare a model with held-out data, the simulator and a policy, and advise on its settings."""
    from offline_envs.diagnose import DiagnoseSettings, advise, check_free, write_report
    from offline_envs.diagnose import diagnose as examine
    from offline_envs.envs import ModelOptions
    from offline_envs.files import check_writable, moved_by, say
    from offline_envs.tasks import task_transitions

    check_free(output)
    check_writable(output, "--output")
    sizes = {"train_horizon": train_horizon, "horizon": horizon, "seed": seed}
    given = given_once(sizes, parse_json(options, "--options"), "--options")
    settings = parse_settings(DiagnoseSettings, given, "--options")
    choices = parse_json(ensemble, "--ensemble"), parse_json(fit_options, "--fit")
    loading: dict[str, Any] = {"trust_dataset": trust_dataset, "history": history_of(history, policy)}
    loading |= {"columns": parse_columns(columns), "env_id": parse_env(env_id, env_kwargs)}
    transitions = task_transitions(dataset, task_of(task, policy), **loading)
    choice = ModelOptions(model, termination=termination, ensemble=choices[0], fit=choices[1], device=device)
    assembly, followed = _model_and_policy(transitions, choice, policy, agent, settings.seed)
    card = _card(model, transitions, *choices)
    found = examine(
        assembly, policy=followed, card=card, settings=settings, say=lambda text: say(f"{text} …")
    )
    with moved_by("--output"):
        write_report(found, output)
    Console().print(_table(advise(found), transitions))
    Console().print(f"Report: {output / 'report.html'}", soft_wrap=True, markup=False)


def _model_and_policy(
    transitions: "Transitions", options: "ModelOptions", policy: str | None, agent: str, seed: int
) -> "tuple[Assembly, Predictor | None]":
    """The model, and a policy that is checked, as the data are, before it is fitted."""
    from offline_envs.diagnose import check_data
    from offline_envs.envs import assemble
    from offline_envs.policies import check_policy_spec, needs_model

    check_data(transitions)
    if policy is not None and needs_model(policy):
        check_policy_spec(policy)
        assembly = assemble(transitions, options=options)
        return assembly, _policy(policy, agent, transitions, seed, assembly)
    followed = None if policy is None else _policy(policy, agent, transitions, seed)
    return assemble(transitions, options=options), followed


def _policy(
    policy: str, agent: str, transitions: "Transitions", seed: int, assembly: "Assembly | None" = None
) -> "Predictor":
    """The policy; one that plans does so in the model that is diagnosed, without a penalty."""
    return find_policy(
        policy,
        agent,
        obs_shape=(transitions.obs_dim,),
        action_space=transitions.action_space,
        owner="dataset",
        seed=seed,
        learned_mdp=None if assembly is None else lambda: assembly.mdp,
    )


def _card(
    model: Path | None, transitions: "Transitions", ensemble: dict[str, Any], fit: dict[str, Any]
) -> dict[str, Any]:
    """Read the card of the given model, or of the one in the cache."""
    from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder, read_model_card

    if model is not None:
        return read_model_card(model)
    settings, fit_settings = EnsembleSettings.from_json(ensemble), FitSettings.from_json(fit)
    return read_model_card(ensemble_folder(transitions, settings, fit_settings=fit_settings))


def _table(advice: "Sequence[Advice]", transitions: "Transitions") -> Table:
    table = Table(title=escape(f"Model of {transitions.source}"), show_lines=True)
    for name in ("about", "advice", "figures"):
        table.add_column(name)
    for a in advice:
        value = Text(a.value, style="bold red" if a.warning else "bold")
        table.add_row(escape(a.topic), value, escape(a.figures))
    return table
