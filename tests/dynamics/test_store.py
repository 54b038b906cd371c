import errno
import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from offline_envs.dynamics import (
    EnsembleDynamics,
    FitSettings,
    cache_folder,
    ensemble_folder,
    fitted_ensemble,
    fitted_termination,
    load_model,
    read_model_card,
    store,
)
from offline_envs.dynamics.checkpoint import WEIGHTS_FILE
from offline_envs.errors import CheckpointError, SettingsError, StorageError
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions


def tiny(cache_dir: Path, **changes: Any) -> EnsembleDynamics:
    return fitted_ensemble(
        linear_transitions(),
        TINY,
        **{"fit_settings": QUICK, "progress": False, **changes},
        cache_dir=cache_dir,
    )


def tiny_folder(cache_dir: Path) -> Path:
    return ensemble_folder(linear_transitions(), TINY, fit_settings=QUICK, cache_dir=cache_dir)


def refuse(*args: object, **kwargs: object) -> None:
    raise AssertionError("fitted twice")


def test_second_call_finds_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tiny(tmp_path)
    monkeypatch.setattr(store, "fit", refuse)
    assert tiny(tmp_path) is first  # Two environments share one ensemble.
    weight = first.get_parameter("trunk.0.weight").clone()
    del first
    gc.collect()
    assert torch.equal(tiny(tmp_path).get_parameter("trunk.0.weight"), weight)
    assert read_model_card(tiny_folder(tmp_path))["report"]["epochs"] == 3
    assert not tiny_folder(tmp_path).with_suffix(".partial").exists()


def test_other_data_and_settings_have_other_folders(tmp_path: Path) -> None:
    folders = {
        tiny_folder(tmp_path),
        ensemble_folder(linear_transitions(), TINY, cache_dir=tmp_path),
        ensemble_folder(linear_transitions(), fit_settings=QUICK, cache_dir=tmp_path),
        ensemble_folder(linear_transitions(seed=1), TINY, fit_settings=QUICK, cache_dir=tmp_path),
    }
    assert len(folders) == 4


def test_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OFFLINE_ENVS_CACHE", str(tmp_path / "variable"))
    assert cache_folder() == tmp_path / "variable"
    assert cache_folder(tmp_path) == tmp_path
    monkeypatch.delenv("OFFLINE_ENVS_CACHE")
    assert "offline-envs" in str(cache_folder())
    with pytest.raises(SettingsError, match="cache_dir= must name a folder, got '~nobody-of-this-name/x'"):
        cache_folder("~nobody-of-this-name/x")


def test_damaged_model_names_the_folder_to_delete(tmp_path: Path) -> None:
    tiny(tmp_path)
    gc.collect()
    (tiny_folder(tmp_path) / WEIGHTS_FILE).write_bytes(b"?")
    with pytest.raises(CheckpointError, match=f"Delete {tiny_folder(tmp_path)}"):
        tiny(tmp_path)


def test_an_interrupted_fit_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny(tmp_path / "whole")
    calls = []

    def interrupt(path: Path, *args: object, **kwargs: object) -> None:
        calls.append(path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "save_model", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tiny(tmp_path)
    assert tiny_folder(tmp_path).with_suffix(".partial").exists()
    assert torch.equal(tiny(tmp_path).get_parameter("trunk.0.weight"), whole.get_parameter("trunk.0.weight"))


def test_a_second_caller_waits_and_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tiny_folder(tmp_path)
    folder.parent.mkdir(parents=True)
    found: list[EnsembleDynamics] = []
    waiter = threading.Thread(target=lambda: found.append(tiny(tmp_path, progress=True)))
    with FileLock(folder.with_suffix(".lock")):
        waiter.start()
        waiter.join(timeout=1)
        assert waiter.is_alive()
        assert not found
    waiter.join(timeout=30)
    assert found[0] is tiny(tmp_path)
    assert "Waiting for another process" in capfd.readouterr().err


def test_models_are_shared_by_path(tmp_path: Path) -> None:
    first = tiny(tmp_path)
    assert load_model(tiny_folder(tmp_path)) is first
    assert load_model(str(tiny_folder(tmp_path))) is first


def test_termination_head_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = linear_transitions()
    first = fitted_termination(data, cache_dir=tmp_path)
    monkeypatch.setattr(store, "fit_termination", refuse)
    second = fitted_termination(data, cache_dir=tmp_path)
    arguments = data.obs, data.actions, data.next_obs
    assert torch.equal(first(*arguments), second(*arguments))
    path = next((tmp_path / "terminations").glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"Delete .* to compute it again"):
        fitted_termination(data, cache_dir=tmp_path)


def test_seed_is_part_of_the_key(tmp_path: Path) -> None:
    seeds = [FitSettings(seed=0), FitSettings(seed=1)]
    folders = {ensemble_folder(linear_transitions(), fit_settings=s, cache_dir=tmp_path) for s in seeds}
    assert len(folders) == 2


def test_the_model_of_other_data_is_not_taken_for_ours(tmp_path: Path) -> None:
    """A folder that was renamed, or copied from another cache."""
    tiny(tmp_path)
    other = linear_transitions(seed=1)
    target = ensemble_folder(other, TINY, fit_settings=QUICK, cache_dir=tmp_path)
    tiny_folder(tmp_path).rename(target)
    with pytest.raises(CheckpointError, match=r"belongs to other dataset\. Delete"):
        fitted_ensemble(other, TINY, fit_settings=QUICK, cache_dir=tmp_path, progress=False)


def test_a_head_of_another_seed_is_not_taken_for_ours(tmp_path: Path) -> None:
    data = linear_transitions()
    fitted_termination(data, seed=0, cache_dir=tmp_path, progress=False)
    (first,) = (tmp_path / "terminations").iterdir()
    fitted_termination(data, seed=1, cache_dir=tmp_path, progress=False)
    (second,) = set((tmp_path / "terminations").iterdir()) - {first}
    first.replace(second)
    with pytest.raises(CheckpointError, match=r"belongs to other seed\. Delete"):
        fitted_termination(data, seed=1, cache_dir=tmp_path, progress=False)


def test_a_cache_that_cannot_be_written_is_refused_before_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(store, "fit", refuse)
    with pytest.raises(StorageError, match="OFFLINE_ENVS_CACHE or cache_dir= chooses another place"):
        tiny(tmp_path / "file" / "cache")


def test_a_disk_that_is_full_during_the_fit_is_one_line_and_the_fit_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny(tmp_path / "whole")

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(StorageError, match=r"Cannot write .*: No space left on device\. OFFLINE_ENVS_CA"):
            tiny(tmp_path)
    assert torch.equal(tiny(tmp_path).get_parameter("trunk.0.weight"), whole.get_parameter("trunk.0.weight"))
