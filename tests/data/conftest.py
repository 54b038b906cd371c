"""Every test of datasets has its own empty Minari folder and no network."""

from pathlib import Path

import minari
import pytest

from offline_envs.data import minari_ids


@pytest.fixture(autouse=True)
def minari_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def no_download(dataset_id: str) -> None:
        raise ConnectionError(f"no network to download {dataset_id} by")

    folder = tmp_path / "minari"
    folder.mkdir()
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder))
    monkeypatch.setattr(minari, "download_dataset", no_download)
    monkeypatch.setattr(minari_ids, "check_server", lambda: None)
    return folder
