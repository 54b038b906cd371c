"""Compare what files were made from, so that none is taken for the result of something else."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline_envs.errors import CheckpointError


def json_checksum(value: Any) -> str:
    """SHA-256 of a JSON value, the same for equal values however they are written: 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()


def key_of(identity: Mapping[str, Any]) -> str:
    """Return a key for JSON values, the same for equal values: 32 hexadecimal digits."""
    return json_checksum(identity)[:32]


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Return the names in `ours` whose values differ or are missing in `theirs`."""
    return [name for name, value in ours.items() if theirs.get(name) != value]


def plain(value: Any) -> Any:
    """Return a JSON value as it is read back: tuples as lists, all keys as strings."""
    return json.loads(json.dumps(value))


def check_identity(path: Path, ours: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> None:
    """Refuse a file that was made from something else, e.g. because it was renamed.

    Args:
        path: The file or folder.
        ours: What it should be made from, JSON values by name.
        theirs: What it says that it was made from.

    Raises:
        CheckpointError: One of the values in `ours` differs or is missing.
    """
    different = differences(plain(ours), theirs or {})
    if different:
        raise CheckpointError(f"{path} belongs to other {', '.join(different)}.")
