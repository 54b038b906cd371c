"""`offline-envs fit`: learn a dynamics model from a dataset."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from offline_envs.cli.terminal.options import (
    INTERRUPTED,
    ColumnsOption,
    Dataset,
    Device,
    EnsembleJson,
    EnvId,
    EnvKwargs,
    FitJson,
    History,
    TaskName,
    given_once,
    parse_columns,
    parse_env,
    parse_json,
    parse_settings,
)
from offline_envs.errors import SettingsError
from offline_envs.registry import Registry

if TYPE_CHECKING:
    from offline_envs.data import Transitions


class Job(NamedTuple):
    """A fit whose settings are checked: where its model is kept, how to run it, and its card as a table."""

    folder: "Callable[[Transitions], Path]"
    run: "Callable[[Transitions], object]"
    lay_out: Callable[[Mapping[str, Any], Sequence[str]], Table]  # of a card and the names of outputs


class Asked(NamedTuple):
    """What the command line asks of a fit."""

    shape: dict[str, Any]  # of --ensemble
    choices: dict[str, Any]  # of --fit
    device: str
    initial: Path | None  # folder of a model


def _ensemble(asked: Asked) -> Job:
    from offline_envs.dynamics import (
        EnsembleSettings,
        FitSettings,
        ensemble_folder,
        fitted_ensemble,
        load_ensemble,
    )

    initial = None if asked.initial is None else load_ensemble(asked.initial, asked.device)
    own_shape = initial is None or bool(asked.shape)
    settings = parse_settings(EnsembleSettings, asked.shape, "--ensemble") if own_shape else None
    how: dict[str, Any] = {
        "fit_settings": parse_settings(FitSettings, asked.choices, "--fit"),
        "initial": initial,
    }
    return Job(
        lambda transitions: ensemble_folder(transitions, settings, **how),
        lambda transitions: fitted_ensemble(transitions, settings, **how, device=asked.device),
        _table_of_members,
    )


def _gaussian_process(asked: Asked) -> Job:
    from offline_envs.dynamics import (
        GaussianProcessSettings,
        fitted_gaussian_process,
        gaussian_process_folder,
    )

    if asked.shape:
        raise SettingsError(
            f"A Gaussian process has no members, so --ensemble cannot be given, got {asked.shape}."
        )
    if asked.initial is not None:
        raise SettingsError(
            f"A Gaussian process has no first weights, so --initial cannot be given, got {asked.initial}."
        )
    settings = parse_settings(GaussianProcessSettings, asked.choices, "--fit")
    return Job(
        lambda transitions: gaussian_process_folder(transitions, settings),
        lambda transitions: fitted_gaussian_process(transitions, settings, device=asked.device),
        _table_of_outputs,
    )


FITTERS: Registry[Callable[[Asked], Job]] = Registry(
    "kind of model to fit", {"ensemble": _ensemble, "gp": _gaussian_process}
)
"""From what is asked to a fit, by the name that --kind takes."""


def fit(
    dataset: Dataset,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to copy the model into; it is always kept in the user's cache."),
    ] = None,
    kind: Annotated[
        str, typer.Option(help="ensemble, or gp for a Gaussian process, which needs 'offline-envs\\[gp]'.")
    ] = "ensemble",
    columns: ColumnsOption = None,
    env_id: EnvId = None,
    env_kwargs: EnvKwargs = "{}",
    history: History = None,
    task: TaskName = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same model.", min=0, show_default="0")
    ] = None,
    ensemble: EnsembleJson = "{}",
    fit_options: FitJson = "{}",
    initial: Annotated[
        Path | None,
        typer.Option(help="Folder of an ensemble whose weights the fit starts from, instead of random ones."),
    ] = None,
    device: Device = "cpu",
) -> None:
    """Fit a model, or find it in the cache. After Ctrl-C, run the same command again to resume."""
    from offline_envs.data import output_names
    from offline_envs.envs import check_device
    from offline_envs.files import check_writable, copy_folder, moved_by
    from offline_envs.tasks import task_transitions

    if output is not None and output.exists():
        raise SettingsError(f"{output} exists already. Choose another folder.")
    if output is not None:
        check_writable(output, "--output")
    check_device(device)
    shape, choices = parse_json(ensemble, "--ensemble"), parse_json(fit_options, "--fit")
    job = FITTERS.find(kind)(Asked(shape, given_once({"seed": seed}, choices, "--fit"), device, initial))
    transitions = task_transitions(
        dataset,
        task,
        columns=parse_columns(columns),
        env_id=parse_env(env_id, env_kwargs),
        history=history or 1,
    )
    folder = job.folder(transitions)
    console = Console(soft_wrap=True, highlight=False)
    if folder.exists():
        console.print(f"Found in the cache: {folder}", markup=False)
    try:
        job.run(transitions)
    except KeyboardInterrupt:
        console.print("Interrupted. Run the same command again to resume.")
        raise typer.Exit(INTERRUPTED) from None
    if output is not None:
        with moved_by("--output"):
            copy_folder(folder, output)
    _print(folder if output is None else output, job, output_names(transitions))


def _print(folder: Path, job: Job, names: Sequence[str]) -> None:
    from offline_envs.dynamics import read_model_card

    console = Console()
    console.print(job.lay_out(read_model_card(folder), names))
    console.print(f"Model: {folder}", soft_wrap=True, markup=False)


def _table_of_members(card: Mapping[str, Any], names: Sequence[str]) -> Table:
    del names  # Unused: errors of members are over all outputs.
    report: Mapping[str, Any] = card["report"]
    standardized = card["fit_settings"].get("standardize_targets")  # missing in models of version 0.1.0
    table = Table(title=escape(f"Ensemble of {card['dataset']['source']}"))
    for name in ("member", "holdout MSE", "elite"):
        table.add_column(name, justify="right")
    for member, error in enumerate(report["holdout_mse"]):
        table.add_row(str(member), f"{error:.5f}", "yes" if member in report["elites"] else "")
    table.caption = (
        f"errors in {'squared deviations of each output' if standardized else 'raw units'}; "
        f"{report['epochs']} epochs in {report['seconds']:.0f} s, stopped by {report['stopped_by']}; "
        f"{report['n_holdout']} of {report['n_holdout'] + report['n_train']} rows held out"
    )
    return table


def _table_of_outputs(card: Mapping[str, Any], names: Sequence[str]) -> Table:
    report: Mapping[str, Any] = card["report"]
    table = Table(title=escape(f"Gaussian process of {card['dataset']['source']}"))
    for heading in ("output", "unexplained"):
        table.add_column(heading, justify="right")
    for name, share in zip(names, report["unexplained"], strict=False):  # older columns of a history follow
        table.add_row(escape(name), f"{share:.5f}")
    table.caption = (
        f"share of the holdout's variance; {'exact' if card['exact'] else 'sparse'}, "
        f"{report['epochs']} steps for each output, {report['seconds']:.0f} s in all; "
        f"fitted to {report['n_train']} rows, {report['n_holdout']} others held out"
    )
    return table
