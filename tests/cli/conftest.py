from typing import Any

import minari
import pytest

from offline_envs.data import minari_ids


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(dataset_id: str, **options: Any) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(minari, "download_dataset", download)
    monkeypatch.setattr(minari_ids, "check_server", lambda: None)
