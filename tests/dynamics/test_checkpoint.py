import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, read_model, read_model_card, save_model
from offline_envs.dynamics.checkpoint import CARD_FILE, WEIGHTS_FILE
from offline_envs.errors import CheckpointError, SettingsError
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions


def read_ensemble(folder: Path) -> EnsembleDynamics:
    model = read_model(folder)
    assert isinstance(model, EnsembleDynamics)
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "model", EnsembleDynamics(2, 1, settings=TINY, seed=3))
    return tmp_path / "model"


def test_a_saved_ensemble_predicts_the_same(folder: Path) -> None:
    data = linear_transitions()
    loaded = read_model(folder)
    original = EnsembleDynamics(2, 1, settings=TINY, seed=3)
    for a, b in zip(
        loaded.predict(data.obs, data.actions), original.predict(data.obs, data.actions), strict=True
    ):
        assert torch.equal(a, b)
    assert isinstance(loaded, EnsembleDynamics)
    assert loaded.settings == TINY


def test_card_names_dataset_settings_and_version(tmp_path: Path) -> None:
    data = linear_transitions()
    save_model(tmp_path / "m", EnsembleDynamics(2, 1, settings=TINY), transitions=data, fit_settings=QUICK)
    card = read_model_card(tmp_path / "m")
    assert card["package_version"] == version("offline-envs")
    assert card["dataset"]["fingerprint"] == data.fingerprint
    assert card["fit_settings"]["batch_size"] == 64
    assert card["report"] is None


def test_a_model_in_the_home_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.chdir(tmp_path)  # where a folder named ~ would be made
    assert read_model_card(f"~/{folder.name}") == read_model_card(folder)
    save_model("~/mine", read_model(f"~/{folder.name}"))
    assert (
        read_model_card(folder.parent / "mine")["weights_sha256"] == read_model_card(folder)["weights_sha256"]
    )
    assert not (tmp_path / "~").exists()


def test_saving_again_replaces_the_model_and_leaves_nothing_behind(folder: Path) -> None:
    save_model(folder, EnsembleDynamics(2, 1, settings=TINY, seed=4))
    expected = EnsembleDynamics(2, 1, settings=TINY, seed=4)
    assert torch.equal(
        read_ensemble(folder).get_parameter("trunk.0.weight"), expected.get_parameter("trunk.0.weight")
    )
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert {path.name for path in folder.iterdir()} == {CARD_FILE, WEIGHTS_FILE}


def test_a_folder_with_other_files_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(CheckpointError, match="something other than a model"):
        save_model(tmp_path, EnsembleDynamics(2, 1, settings=TINY))
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_failure_while_writing_keeps_the_old_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(path: Path, content: bytes) -> int:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_model(folder, EnsembleDynamics(2, 1, settings=TINY, seed=4))
    monkeypatch.undo()
    expected = EnsembleDynamics(2, 1, settings=TINY, seed=3)
    assert torch.equal(
        read_ensemble(folder).get_parameter("trunk.0.weight"), expected.get_parameter("trunk.0.weight")
    )
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_failure_while_replacing_keeps_the_old_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def interrupted(source: Path, target: Path) -> None:
        if source.name == ".model.part":
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_model(folder, EnsembleDynamics(2, 1, settings=TINY, seed=4))
    monkeypatch.undo()
    expected = EnsembleDynamics(2, 1, settings=TINY, seed=3)
    assert torch.equal(
        read_ensemble(folder).get_parameter("trunk.0.weight"), expected.get_parameter("trunk.0.weight")
    )
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def change_card(folder: Path, **changes: object) -> None:
    card = json.loads((folder / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(json.dumps({**card, **changes}))


def test_truncated_weights(folder: Path) -> None:
    path = folder / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="truncated or altered"):
        read_model(folder)


def test_altered_weights(folder: Path) -> None:
    path = folder / WEIGHTS_FILE
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="truncated or altered"):
        read_model(folder)


def test_missing_weights(folder: Path) -> None:
    (folder / WEIGHTS_FILE).unlink()
    with pytest.raises(CheckpointError, match=r"holds no weights\.safetensors"):
        read_model(folder)


def test_truncated_card(folder: Path) -> None:
    path = folder / CARD_FILE
    path.write_text(path.read_text()[:50])
    with pytest.raises(CheckpointError, match="damaged"):
        read_model(folder)


@pytest.mark.parametrize("content", ["[]", "{}", '"model"', '{"format_version": "new"}', "\udcff"])
def test_foreign_card(folder: Path, content: str) -> None:
    (folder / CARD_FILE).write_text(content, errors="surrogateescape")
    with pytest.raises(CheckpointError, match="damaged"):
        read_model(folder)


@pytest.mark.parametrize("change", [{"obs_dim": 5}, {"report": {"epochs": 1}}, {"card_sha256": "0"}])
def test_altered_card(folder: Path, change: dict[str, Any]) -> None:
    change_card(folder, **change)
    with pytest.raises(CheckpointError, match="altered"):
        read_model_card(folder)


def sign_card(folder: Path, **changes: Any) -> None:
    """Change a card and its checksum with it, as a program that writes other models would."""
    card = {**read_model_card(folder), **changes}
    digest = hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()
    (folder / CARD_FILE).write_text(json.dumps({**card, "card_sha256": digest}))


def test_card_of_other_settings(folder: Path) -> None:
    sign_card(folder, obs_dim=5)
    with pytest.raises(CheckpointError, match="disagree"):
        read_model(folder)
    sign_card(folder, settings={"n_members": 3, "n_wings": 2})
    with pytest.raises(CheckpointError, match="n_wings"):
        read_model(folder)


@pytest.mark.parametrize(
    "change", [{"obs_dim": 10**12}, {"settings": {**TINY.to_json(), "hidden": [10**9, 10**9]}}]
)
def test_declared_sizes_beyond_the_file_ask_for_no_memory(folder: Path, change: dict[str, Any]) -> None:
    sign_card(folder, **change)
    with pytest.raises(CheckpointError, match=r"at least \d+ weights are declared, \d+ stored"):
        read_model(folder)


def test_newer_format(folder: Path) -> None:
    change_card(folder, format_version=99, package_version="9.0")
    with pytest.raises(CheckpointError, match=r"format version 99, written by offline-envs 9\.0"):
        read_model(folder)


def test_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a model"):
        read_model(tmp_path)
    with pytest.raises(CheckpointError, match="not a model"):
        read_model(tmp_path / "nowhere")


def test_what_is_no_model_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must be a fitted dynamics model, got object"):
        save_model(tmp_path / "model", object())  # type: ignore[arg-type]
    assert not (tmp_path / "model").exists()
