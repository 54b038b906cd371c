"""`offline-envs info`: a summary of a dataset."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from offline_envs.cli.terminal.options import (
    ColumnsOption,
    Dataset,
    EnvId,
    EnvKwargs,
    TaskName,
    parse_columns,
    parse_env,
)

if TYPE_CHECKING:
    from rich.table import Table

    from offline_envs.data import Transitions
    from offline_envs.dynamics import DynamicsModel


def info(
    dataset: Dataset,
    columns: ColumnsOption = None,
    env_id: EnvId = None,
    env_kwargs: EnvKwargs = "{}",
    task: TaskName = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of a model: also print how far its members disagree on the dataset."),
    ] = None,
    disagreement: Annotated[
        str, typer.Option(help="How far members are apart: max_distance or std.")
    ] = "max_distance",
    plot: Annotated[
        Path | None, typer.Option(help="Also plot the returns to this PNG file.", dir_okay=False)
    ] = None,
) -> None:
    """Summarise a dataset: sizes, environment, terminations, a histogram of episode returns, and data health.

    With the default model in the cache, or with --model, also print the thresholds of PessimisticModel-v0.
    """
    from offline_envs.cli.terminal.tables import dataset_table, health_table
    from offline_envs.data import EMBEDDED_ROOT, MINARI_ROOT_VARIABLE, data_health, embedded_ids
    from offline_envs.dynamics import DISAGREEMENTS
    from offline_envs.files import check_writable, moved_by
    from offline_envs.runs import plot_returns
    from offline_envs.tasks import task_transitions

    DISAGREEMENTS.find(disagreement)
    if plot is not None:
        check_writable(plot.parent, "--plot")
    transitions = task_transitions(
        dataset, task, columns=parse_columns(columns), env_id=parse_env(env_id, env_kwargs)
    )
    folder = _default_model(transitions) if model is None else model
    ensemble = None if folder is None else _load(transitions, folder)
    console = Console()
    console.print(dataset_table(transitions))
    if dataset in embedded_ids():
        line = f"export {MINARI_ROOT_VARIABLE}={shlex.quote(str(EMBEDDED_ROOT))}"
        console.print(f"Minari itself finds it after: {line}", soft_wrap=True, highlight=False, markup=False)
    console.print(health_table(data_health(transitions)))
    if ensemble is not None:
        console.print(_thresholds(transitions, ensemble, disagreement))
    if plot is not None:
        with moved_by("--plot"):
            plot_returns(transitions, plot)
        console.print(f"Drew {plot}.", soft_wrap=True)


def _default_model(transitions: "Transitions") -> Path | None:
    from offline_envs.dynamics import ensemble_folder

    folder = ensemble_folder(transitions)
    return folder if folder.is_dir() else None


def _load(transitions: "Transitions", folder: Path) -> "DynamicsModel":
    from offline_envs.envs import resolve_model, warn_of_other_data

    model = resolve_model(folder, transitions.obs_dim, transitions.action_dim, device="cpu")
    warn_of_other_data(folder, transitions)
    return model


def _thresholds(transitions: "Transitions", ensemble: "DynamicsModel", disagreement: str) -> "Table | str":
    from offline_envs.cli.terminal.tables import threshold_table
    from offline_envs.dynamics import disagreement_stats

    if ensemble.n_members == 1:
        return "The model has a single member, which cannot disagree: there are no thresholds."
    return threshold_table(disagreement_stats(ensemble, transitions, disagreement=disagreement), disagreement)
