"""JSON files that carry a checksum of their contents."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline_envs.errors import CheckpointError
from offline_envs.files.identity import json_checksum, plain
from offline_envs.files.writing import write_text

CHECKSUM = "sha256"
"""Entry of the file that holds the checksum of all others."""


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Replace the JSON file at `path` atomically.

    Args:
        path: The file; its folder is created if missing.
        values: JSON values by name, none of them called `"sha256"`.
    """
    if CHECKSUM in values:
        raise ValueError(f"{CHECKSUM!r} is the name of the checksum; got an entry of that name.")
    content = plain(values)
    write_text(path, json.dumps({**content, CHECKSUM: json_checksum(content)}, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote, exactly; spaces and the order of entries may have changed.

    Raises:
        CheckpointError: The file is missing, truncated, altered, or not written by `write_json`.
    """
    values = read_plain_json(path)
    checksum = values.pop(CHECKSUM, None)
    if checksum is None:
        raise CheckpointError(f"{path} has no checksum: it is not complete, or not written by this package.")
    if checksum != json_checksum(values):
        raise CheckpointError(f"{path} was altered: its checksum does not fit its contents.")
    return values


def read_plain_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that carries no checksum, or another one.

    Raises:
        CheckpointError: The file is missing, cannot be read, or holds anything but a JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: it cannot be read as JSON ({error}).") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is damaged: it holds no JSON object.")
    return values
