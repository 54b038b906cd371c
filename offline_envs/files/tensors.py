"""Files of named tensors and a JSON header, written atomically and verified by a checksum when read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from offline_envs.errors import CheckpointError
from offline_envs.files.writing import write_bytes

_HEADER, _DIGEST = "header", "sha256"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors of any device and a JSON header to `path`, atomically."""
    content = _on_cpu(tensors)
    metadata = {_HEADER: json.dumps(header), _DIGEST: _digest(content)}
    write_bytes(path, safetensors.torch.save(content, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote, onto the CPU.

    Raises:
        CheckpointError: The file is missing, truncated, altered, or not written by this package.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no __iter__)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist.") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file ({error}).") from error
    if metadata.get(_DIGEST) != _digest(tensors):
        raise CheckpointError(f"{path} was altered: its checksum does not fit its contents.")
    return tensors, json.loads(metadata[_HEADER])


def tensor_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Return the contents of a safetensors file of `tensors`, from any device."""
    return safetensors.torch.save(_on_cpu(tensors))


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
