"""`offline-envs fit`: learn a dynamics ensemble from a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from offline_envs.cli.options import (
    INTERRUPTED,
    Dataset,
    Device,
    EnsembleJson,
    EnvId,
    EnvKwargs,
    FitJson,
    TaskName,
    given_once,
    parse_env,
    parse_json,
    parse_settings,
)
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    from offline_envs.data import Transitions


def fit(
    dataset: Dataset,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to copy the model into; it is always kept in the user's cache."),
    ] = None,
    env_id: EnvId = None,
    env_kwargs: EnvKwargs = "{}",
    task: TaskName = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same model.", min=0, show_default="0")
    ] = None,
    ensemble: EnsembleJson = "{}",
    fit_options: FitJson = "{}",
    device: Device = "cpu",
) -> None:
    """Fit an ensemble, or find it in the cache. After Ctrl-C, run the same command again to resume."""
    from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder, fitted_ensemble
    from offline_envs.envs import check_device
    from offline_envs.files import check_writable, copy_folder, moved_by
    from offline_envs.tasks import task_transitions

    if output is not None and output.exists():
        raise SettingsError(f"{output} exists already. Choose another folder.")
    if output is not None:
        check_writable(output, "--output")
    check_device(device)
    settings = parse_settings(EnsembleSettings, parse_json(ensemble, "--ensemble"), "--ensemble")
    choices = given_once({"seed": seed}, parse_json(fit_options, "--fit"), "--fit")
    fit_settings = parse_settings(FitSettings, choices, "--fit")
    transitions = task_transitions(dataset, task, env_id=parse_env(env_id, env_kwargs))
    folder = ensemble_folder(transitions, settings, fit_settings=fit_settings)
    console = Console(soft_wrap=True, highlight=False)
    if folder.exists():
        console.print(f"Found in the cache: {folder}", markup=False)
    try:
        fitted_ensemble(transitions, settings, fit_settings=fit_settings, device=device)
    except KeyboardInterrupt:
        console.print("Interrupted. Run the same command again to resume.")
        raise typer.Exit(INTERRUPTED) from None
    if output is not None:
        with moved_by("--output"):
            copy_folder(folder, output)
    _print(folder if output is None else output, transitions)


def _print(folder: Path, transitions: "Transitions") -> None:
    from offline_envs.dynamics import read_model_card

    card = read_model_card(folder)
    report: dict[str, Any] = card["report"]
    standardized = card["fit_settings"].get("standardize_targets")  # missing in models of version 0.1.0
    table = Table(title=escape(f"Ensemble of {transitions.source}"))
    for name in ("member", "holdout MSE", "elite"):
        table.add_column(name, justify="right")
    for member, error in enumerate(report["holdout_mse"]):
        table.add_row(str(member), f"{error:.5f}", "yes" if member in report["elites"] else "")
    table.caption = (
        f"errors in {'squared deviations of each output' if standardized else 'raw units'}; "
        f"{report['epochs']} epochs in {report['seconds']:.0f} s, stopped by {report['stopped_by']}; "
        f"{report['n_holdout']} of {report['n_holdout'] + report['n_train']} rows held out"
    )
    console = Console()
    console.print(table)
    console.print(f"Model: {folder}", soft_wrap=True, markup=False)
