"""The file from which an interrupted training of discriminators resumes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from offline_envs.dynamics import STATE_FILE
from offline_envs.errors import CheckpointError
from offline_envs.files import check_identity, read_tensors, write_tensors


def write_state(
    folder: Path, state: Mapping[str, Tensor], identity: Mapping[str, Any], *, n_snapshots: int
) -> None:
    """Write the state of a training to `folder`, atomically; `identity` says what it is of."""
    header = {"identity": identity, "progress": {"snapshots": n_snapshots}}
    write_tensors(folder / STATE_FILE, state, header)


def read_state(folder: Path, identity: Mapping[str, Any]) -> dict[str, Tensor] | None:
    """Read the state in `folder`; None when there is none.

    Raises:
        CheckpointError: The file is damaged, or belongs to another training.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    try:
        tensors, header = read_tensors(path)
        check_identity(path, identity, header.get("identity"))
    except CheckpointError as error:
        raise CheckpointError(f"{error} Delete it to train again.") from error
    return tensors
