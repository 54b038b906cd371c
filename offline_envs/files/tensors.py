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

_HEADER, _CHECKSUM = "header", "checksum"
_TENSORS_ONLY = "sha256"
"""Checksum in files of version 0.1.0, which leaves out the header; newer files have `_CHECKSUM` instead."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors of any device and a JSON header to `path`, atomically."""
    content = _on_cpu(tensors)
    text = json.dumps(header)
    metadata = {_HEADER: text, _CHECKSUM: _checksum(content, text)}
    write_bytes(path, safetensors.torch.save(content, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote, onto the CPU.

    Of files that version 0.1.0 wrote, only the tensors are verified, not the header.

    Raises:
        CheckpointError: The file is missing, truncated, altered, or not written by this package.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no __iter__)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist.") from None
    except (safetensors.SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file ({error}).") from error
    text = metadata.get(_HEADER, "")
    if not _is_whole(metadata, tensors, text):
        raise CheckpointError(f"{path} was altered: its checksum does not fit its contents.")
    return tensors, _parsed(path, text)


def tensor_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Return the contents of a safetensors file of `tensors`, from any device."""
    return safetensors.torch.save(_on_cpu(tensors))


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _is_whole(metadata: Mapping[str, str], tensors: Mapping[str, Tensor], header: str) -> bool:
    if _CHECKSUM not in metadata and _TENSORS_ONLY in metadata:
        return metadata[_TENSORS_ONLY] == _checksum(tensors, "")
    return metadata.get(_CHECKSUM) == _checksum(tensors, header)


def _parsed(path: Path, header: str) -> dict[str, Any]:
    try:
        values = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its header is not JSON ({error}).") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is damaged: its header is no JSON object.")
    return values


def _checksum(tensors: Mapping[str, Tensor], header: str) -> str:
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
