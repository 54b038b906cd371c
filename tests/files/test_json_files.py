import json
from pathlib import Path

import pytest

from offline_envs.errors import CheckpointError
from offline_envs.files import read_json, write_json

VALUES = {"a": 0.1, "deep": {"b": [1, None, "ä"]}, "large": 10**20}


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "x.json", {**VALUES, "pair": (1, 2), "numbers": {2: "b", 10: "a"}})
    expected = {**VALUES, "pair": [1, 2], "numbers": {"2": "b", "10": "a"}}
    assert read_json(tmp_path / "deep" / "x.json") == expected


def test_spaces_and_order_may_change_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, VALUES)
    values = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(values.items()))))
    assert read_json(path) == VALUES
    path.write_text(json.dumps({**values, "a": 0.1000000001}))
    with pytest.raises(CheckpointError, match="altered"):
        read_json(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"a": 1}', "\xff", "[" * 100_000, '{"a": 1, "sha256": null}', "3"]
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"x\.json"):
        read_json(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        read_json(tmp_path / "x.json")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_json(tmp_path)
