import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError
from tests.data.worlds import arrays


def header(shape: tuple[int, ...]) -> bytes:
    """The beginning of a `.npy` file of float64."""
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": "<f8"})
    return stream.getvalue()


def write(path: Path, rewards: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    """An archive of arrays and one member that is written by hand."""
    np.savez(path, **arrays(rewards=None))
    with zipfile.ZipFile(path, "a", compression) as archive:
        archive.writestr("rewards.npy", rewards)
    return path


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_header_that_declares_more_than_the_member_has(compression: int, tmp_path: Path) -> None:
    path = write(tmp_path / "vast.npz", header((10**12,)) + bytes(40), compression)
    message = r"rewards\.npy declares an array of 8,000,000,000,\d+ bytes, but holds \d+\. It must"
    with pytest.raises(DatasetError, match=message):
        load_transitions(path)


def test_a_member_that_is_said_to_be_large(tmp_path: Path) -> None:
    """The size of a member is only declared, too: 8 GB of which the archive has 170 bytes."""
    path = write(tmp_path / "vast.npz", header((10**9,)) + bytes(40))
    text = bytearray(path.read_bytes())
    entry = text.rindex(b"PK\x01\x02")  # the last of the central directory
    text[entry + 20 : entry + 28] = (4_000_000_000).to_bytes(4, "little") * 2
    path.write_bytes(text)
    with pytest.raises(DatasetError, match=r"rewards\.npy declares 4,000,000,000 bytes, but the whole"):
        load_transitions(path)


def test_zeros_may_be_a_thousand_times_smaller(tmp_path: Path) -> None:
    n = 300_000
    zeros = np.zeros((n, 2), np.float32)
    fields: dict[str, np.ndarray[Any, Any]] = {"obs": zeros, "next_obs": zeros, "actions": zeros}
    fields |= {"rewards": zeros[:, 0], "terminated": zeros[:, 0] > 0, "episode_starts": np.array([0])}
    np.savez_compressed(tmp_path / "zeros.npz", **fields)  # type: ignore[arg-type]
    assert (tmp_path / "zeros.npz").stat().st_size < 20_000
    assert len(load_transitions(tmp_path / "zeros.npz")) == n


def test_what_is_no_array_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "notes.npz", header((5,)) + np.arange(5.0).tobytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.warns(UserWarning, match="ignored notes.txt"):
        assert load_transitions(path).rewards.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rewards", [b"", b"\x93NUMPY\x09\x00", b"text", header((5,))])
def test_broken_members_are_one_line(rewards: bytes, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"broken.npz cannot be read: .*numpy.savez"):
        load_transitions(write(tmp_path / "broken.npz", rewards))
