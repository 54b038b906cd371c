"""Files of tensors: everything in them is covered by a checksum."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch

from offline_envs.errors import CheckpointError
from offline_envs.files import read_tensors, write_tensors

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)}
HEADER = {"elites": [2, 0], "best": 0.25}


def test_tensors_and_header_come_back(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", TENSORS, HEADER)
    tensors, header = read_tensors(tmp_path / "x")
    assert header == HEADER
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_the_header_is_covered(tmp_path: Path) -> None:
    """A changed error of a member would give other elites."""
    path = tmp_path / "x"
    write_tensors(path, TENSORS, HEADER)
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.35"))
    with pytest.raises(CheckpointError, match="altered"):
        read_tensors(path)


def test_files_of_version_0_1_0_are_still_read(tmp_path: Path) -> None:
    """Its checksum: name, shape, type and bytes of each tensor in order of their names."""
    digest = hashlib.sha256()
    for name, tensor in TENSORS.items():
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode() + tensor.numpy().tobytes())
    metadata = {"header": json.dumps(HEADER), "sha256": digest.hexdigest()}
    (tmp_path / "x").write_bytes(safetensors.torch.save(TENSORS, metadata))
    assert read_tensors(tmp_path / "x")[1] == HEADER
    (tmp_path / "x").write_bytes(safetensors.torch.save({**TENSORS, "b": torch.tensor(4)}, metadata))
    with pytest.raises(CheckpointError, match="altered"):
        read_tensors(tmp_path / "x")


@pytest.mark.parametrize("shape", [[10**15], [2**40, 2**40], [2**62, 0], [2**64]])
def test_a_declared_size_beyond_the_file_asks_for_no_memory(tmp_path: Path, shape: list[int]) -> None:
    end = 4 * shape[0] if len(shape) == 1 else 24
    text = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(text)) + text + bytes(24))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        read_tensors(tmp_path / "x")


@pytest.mark.parametrize("size", [2**40, 2**63, 0, 3])
def test_a_declared_header_beyond_the_file_asks_for_no_memory(tmp_path: Path, size: int) -> None:
    (tmp_path / "x").write_bytes(struct.pack("<Q", size) + b"{}" + bytes(24))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        read_tensors(tmp_path / "x")
