"""Archives whose arrays declare more than there is: refused before memory is asked for."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from offline_envs.files import read_arrays


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "a": np.arange(6).reshape(2, 3),
        "empty": np.zeros((0, 3)),
        "text": np.array("ä"),
    }
    for name, save in (("plain.npz", np.savez), ("packed.npz", np.savez_compressed)):
        save(tmp_path / name, **{**arrays, "zeros": np.zeros(100_000)})
        read = read_arrays(tmp_path / name)
        assert set(read) == {*arrays, "zeros"}
        for key, values in arrays.items():
            np.testing.assert_array_equal(read[key], values)


@pytest.mark.parametrize("shape", [(10**15,), (2**40, 2**40), (4,), (2,)])
def test_an_array_of_another_size_than_declared_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    content = io.BytesIO()
    npy.write_array_header_1_0(content, {"shape": shape, "fortran_order": False, "descr": "<f8"})
    content.write(np.zeros(3).tobytes())
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", content.getvalue())
    with pytest.raises(ValueError, match=r"a\.npy declares an array of [\d,]+ bytes, but holds"):
        read_arrays(tmp_path / "x.npz")


def test_a_member_larger_than_the_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.zeros(3))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")  # the central directory: both sizes are at 20 and 24
    content[entry + 20 : entry + 28] = 2 * (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="declares 2,147,483,647 bytes, but the whole archive has"):
        read_arrays(path)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        read_arrays(tmp_path / "x.npz")


def test_what_is_no_array_is_no_numbers(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a", "123")
    assert read_arrays(tmp_path / "x.npz")["a"].dtype.kind == "S"


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x05\x06" + bytes(18)[:-1]])
def test_what_is_no_archive_is_a_value_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ValueError, match="truncated or altered"):
        read_arrays(tmp_path / "x.npz")
