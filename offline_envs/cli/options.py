"""Options that several commands share."""

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    from offline_envs.settings import JsonSettings

Settings = TypeVar("Settings", bound="JsonSettings")

Dataset = Annotated[
    str,
    typer.Argument(help="Minari id, D4RL-layout .hdf5, .npz archive, or folder of a Minari dataset."),
]
EnvId = Annotated[
    str | None,
    typer.Option(help="Environment behind the dataset, if its metadata do not say, e.g. Hopper-v5."),
]
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="Give the dataset the reward of a task, with settings after a colon, e.g. ant-angle:degrees=45.",
    ),
]
Device = Annotated[str, typer.Option(help="Where models and agents are computed: cpu, cuda, cuda:1, ...")]
EnsembleJson = Annotated[
    str, typer.Option("--ensemble", help="Settings of the ensemble as JSON, e.g. '{\"n_members\": 5}'.")
]
FitJson = Annotated[
    str, typer.Option("--fit", help="Settings of the fit as JSON, e.g. '{\"max_epochs\": 30}'.")
]


INTERRUPTED = 130
"""The shell's exit status of a process that Ctrl-C ended."""


def parse_json(text: str, option: str) -> dict[str, Any]:
    """Read the JSON object given to `option`.

    Raises:
        SettingsError: It is not JSON, or not an object.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{option} must be JSON, got {text!r}: {error}.") from error
    if not isinstance(values, dict):
        raise SettingsError(f'{option} must be a JSON object such as {{"name": 1}}, got {text!r}.')
    return values


def parse_settings(kind: type[Settings], values: dict[str, Any], option: str) -> Settings:
    """Build settings from the JSON given to `option`.

    Raises:
        SettingsError: An unknown name, or a value of the wrong type or out of range.
    """
    try:
        return kind.from_json(values)
    except TypeError as error:
        raise SettingsError(f"{option} has a value of the wrong type: {error}") from error


def parse_seeds(text: str) -> list[int]:
    """Read seeds separated by commas.

    Raises:
        SettingsError: Something else than non-negative whole numbers, or one of them twice.
    """
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(f"--seeds must be whole numbers with commas, e.g. 0,1,2; got {text!r}.") from None
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise SettingsError(f"--seeds must be different and not negative, got {text!r}.")
    return seeds
