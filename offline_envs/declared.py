"""`register_declared`: environments of a project, declared in a TOML file.

Each table of the file is an id, its entries are what `register` takes:

    [MyHopper-v0]
    base = "PenalizedModel-v0"
    dataset = "hopper.npz"
    penalty_coef = 2.5

The file is named by the environment variable `OFFLINE_ENVS_IDS`, or by the nearest `pyproject.toml`, in the
working directory or above it:

    [tool.offline-envs]
    ids = "environments.toml"

Datasets, models and tables of columns that are paths are looked for relative to the file, and so is
`cache_dir`.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gymnasium.error import Error as GymnasiumError

from offline_envs.errors import OfflineEnvsError, SettingsError
from offline_envs.registration import register

VARIABLE = "OFFLINE_ENVS_IDS"
"""Environment variable that names the file; it wins over `pyproject.toml`."""

PATHS = ("dataset", "model", "columns")
"""Settings that may be paths, or lists of them."""


def register_declared() -> None:
    """Register what the project declares; nothing if it names no file.

    Raises:
        SettingsError: The file is missing or no TOML, or one of its tables cannot be registered.
    """
    path = declared_file()
    if path is None:
        return
    for env_id, settings in _read(path).items():
        if not isinstance(settings, dict) or "base" not in settings:
            raise SettingsError(
                f"{path}: {env_id!r} must be a table with an entry `base`, the id of a learned environment, "
                f'e.g. base = "PenalizedModel-v0"; got {settings!r}.'
            )
        try:
            base, others = settings["base"], {n: v for n, v in settings.items() if n != "base"}
            register(env_id, base, **_located(others, path.parent))
        except (OfflineEnvsError, GymnasiumError, TypeError) as error:
            raise SettingsError(f"{path}: {env_id!r}: {error}") from error


def declared_file() -> Path | None:
    """The file that is named, or None."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    for folder in (Path.cwd(), *Path.cwd().parents):
        project = folder / "pyproject.toml"
        if project.is_file():
            ids = _tool_table(project).get("ids")
            return None if ids is None else folder / ids
    return None


def _tool_table(project: Path) -> Mapping[str, Any]:
    """This package's table in a `pyproject.toml`; a file that is no TOML is not ours to report."""
    try:
        table = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}).get("offline-envs", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return table if isinstance(table, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"The environments declared in {path} cannot be read: {error}. The file is named by {VARIABLE} "
            "or by [tool.offline-envs] ids in pyproject.toml."
        ) from error


def _located(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The settings, with paths relative to the folder made absolute: those that exist, and the cache."""
    located = {name: _absolute(value, folder) if name in PATHS else value for name, value in settings.items()}
    cache = settings.get("cache_dir")
    if isinstance(cache, str):
        located["cache_dir"] = str((folder / Path(cache).expanduser()).resolve())
    return located


def _absolute(value: Any, folder: Path) -> Any:
    """A path that exists, made absolute, also after a prefix such as `csv:`; anything else as it is."""
    if isinstance(value, list):
        return [_absolute(each, folder) for each in value]
    if not isinstance(value, str):
        return value
    kind, colon, rest = value.partition(":")
    for prefix, path in (("", value), (kind + colon, rest)):
        if path and (folder / path).exists():
            return prefix + str((folder / path).resolve())
    return value
