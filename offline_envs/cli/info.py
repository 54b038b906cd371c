"""`offline-envs info`: what a dataset holds."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from offline_envs.cli.options import Dataset, EnvId


def info(
    dataset: Dataset,
    env_id: EnvId = None,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw the returns into this PNG file.", dir_okay=False)
    ] = None,
) -> None:
    """Summarise a dataset: sizes, environment, terminations, and a histogram of episode returns."""
    from offline_envs.cli.tables import dataset_table
    from offline_envs.data import load_transitions
    from offline_envs.runs.plots import plot_returns

    transitions = load_transitions(dataset, env_id=env_id)
    console = Console()
    console.print(dataset_table(transitions))
    if plot is not None:
        plot_returns(transitions, plot)
        console.print(f"Drew {plot}.", soft_wrap=True)
