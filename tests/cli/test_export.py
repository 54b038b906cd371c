from pathlib import Path

import pytest

from tests.cli.runner import fail, succeed
from tests.export.files import run_of

onnx = pytest.importorskip("onnx", reason="ONNX files need the extra onnx", exc_type=ImportError)


def test_export_writes_a_model_or_the_policy_of_a_run(toy_model: str, tmp_path: Path) -> None:
    file = tmp_path / "new" / "model.onnx"
    assert succeed("export", toy_model, "--onnx", file) == f"Wrote the model to {file}.\n"
    run_of("td3", tmp_path / "run", buffer_size=2)
    assert succeed("export", tmp_path / "run", "--onnx", tmp_path / "p.onnx").startswith("Wrote the policy")
    graphs = [onnx.load(path).graph for path in (file, tmp_path / "p.onnx")]
    assert [[part.name for part in graph.input] for graph in graphs] == [["obs", "action"], ["obs"]]


def test_export_refuses_other_folders(tmp_path: Path) -> None:
    assert "is not a model" in fail("export", tmp_path, "--onnx", tmp_path / "model.onnx")
    (tmp_path / "file").touch()
    assert "--onnx" in fail("export", tmp_path, "--onnx", tmp_path / "file" / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
