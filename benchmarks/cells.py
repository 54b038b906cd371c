"""Runs of a table: every cell is a folder with a run a seed, complete runs are not run again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from offline_envs.errors import unknown_name
from offline_envs.runs import TrainSettings, algorithm, merged, run_seeds


def cell_settings(common: Mapping[str, Any], own: Mapping[str, Any]) -> TrainSettings:
    """Settings of a cell's runs.

    Args:
        common: Settings that all cells share; those that the cell's algorithm does not use are left out.
        own: Its own, with `algorithm`.

    Raises:
        SettingsError: See `TrainSettings`.
    """
    used = algorithm(own["algorithm"]).uses
    shared = {name: value for name, value in common.items() if name in used}
    return TrainSettings.for_algorithm(merged(shared, own))


def chosen_cells(names: str, valid: Mapping[str, Any]) -> list[str]:
    """Cells from a list of names with commas.

    Raises:
        SettingsError: An unknown name.
    """
    found = names.split(",")
    for name in found:
        if name not in valid:
            raise unknown_name("cell", name, valid)
    return found


def run_cells(runs: Mapping[str, TrainSettings], seeds: Sequence[int], folder: Path) -> None:
    """Run every seed of every cell that is not complete.

    Args:
        runs: Settings of each cell's runs.
        seeds: The seeds.
        folder: Folder of the cells' folders.
    """
    for name, run in runs.items():
        typer.echo(f"{name}: {folder / name}", err=True)
        run_seeds(run, seeds, folder / name, resume=True)
