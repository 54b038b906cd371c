import shutil
import socket
from pathlib import Path

import minari
import pytest

from offline_envs.data import embedded_ids, load_transitions, minari_ids
from offline_envs.errors import DatasetError
from tests.data.worlds import episode, write_minari

CHECK_SERVER = minari_ids.check_server
"""The check itself, which the fixtures of this folder leave out."""


def test_an_unknown_id_names_the_nearest_and_why_it_was_not_downloaded() -> None:
    write_minari("toy/hopper/medium-v0", [episode(0, 2)])
    message = r"Unknown dataset 'toy/hoper/medium-v0'.*no network.*Nearest ids .*: toy/hopper/medium-v0"
    with pytest.raises(DatasetError, match=message) as caught:
        load_transitions("toy/hoper/medium-v0")
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_missing_dataset_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(dataset_id: str) -> None:
        asked.append(dataset_id)
        write_minari(dataset_id, [episode(0, 2)])

    monkeypatch.setattr(minari, "download_dataset", download)
    assert len(load_transitions("far-v0")) == len(load_transitions("far-v0")) == 2
    assert asked == ["far-v0"]


def test_a_download_of_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minari, "download_dataset", lambda dataset_id: None)
    with pytest.raises(DatasetError, match="Downloading 'far-v0' left nothing under"):
        load_transitions("far-v0")


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minari_ids, "getproxies", dict)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("MINARI_REMOTE", raising=False)


@pytest.mark.usefixtures("no_proxies")
def test_a_server_out_of_reach_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client would try again and again for half a minute before the nearest ids are named."""
    write_minari("toy/hopper/medium-v0", [episode(0, 2)])
    monkeypatch.setattr(minari_ids, "check_server", CHECK_SERVER)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setattr(minari, "download_dataset", lambda dataset_id: pytest.fail("the client was asked"))
    message = r"'toy/hoper/medium-v0'.*127\.0\.0\.1 cannot be reached: .*Nearest ids .*: toy/hopper/medium-v0"
    with pytest.raises(DatasetError, match=message):
        load_transitions("toy/hoper/medium-v0")


@pytest.mark.usefixtures("no_proxies")
def test_a_server_that_answers_is_within_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        CHECK_SERVER()


@pytest.mark.usefixtures("no_proxies")
def test_where_only_the_client_knows_the_way_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: pytest.fail("a connection"))
    for name, value in (("HF_HUB_OFFLINE", "1"), ("MINARI_REMOTE", "gcp://minari")):
        with monkeypatch.context() as context:
            context.setenv(name, value)
            CHECK_SERVER()
    monkeypatch.setattr(minari_ids, "getproxies", lambda: {"https": "http://proxy"})
    CHECK_SERVER()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_a_namespace_of_one_letter_is_refused_before_the_server_is_asked() -> None:
    """Minari's own pattern does not match such an id, whatever the server has."""
    with pytest.raises(DatasetError, match=r"'t/hopper-v0' is not on this machine.* at least two characters"):
        load_transitions("t/hopper-v0")


def test_an_id_without_version() -> None:
    """Minari's own parser fails here with a bare TypeError."""
    write_minari("toy/hopper-v3", [episode(0, 2)])
    with pytest.raises(DatasetError, match=r"'toy/hopper' is not a Minari id.*name-vN.*toy/hopper-v3"):
        load_transitions("toy/hopper")


def test_an_id_on_a_machine_without_datasets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(minari_ids, "EMBEDDED_ROOT", tmp_path / "none")
    with pytest.raises(DatasetError, match="No id is on this machine"):
        load_transitions("a-v0")


def test_the_folder_is_read_at_every_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_minari("a-v0", [episode(0, 2)])
    assert len(load_transitions("a-v0")) == 2
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "other"))
    write_minari("a-v0", [episode(0, 3)])
    assert len(load_transitions("a-v0")) == 3


def test_looking_for_an_id_creates_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home folder may be read-only; an embedded dataset must load all the same."""
    monkeypatch.delenv("MINARI_DATASETS_PATH")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(DatasetError, match=r"home/.minari/datasets"):
        load_transitions("a-v0")
    assert not (tmp_path / "home").exists()


def test_embedded_datasets_come_after_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, minari_folder: Path
) -> None:
    write_minari("toy/a-v0", [episode(0, 2)])
    shutil.move(minari_folder / "toy", tmp_path / "embedded" / "toy")
    monkeypatch.setattr(minari_ids, "EMBEDDED_ROOT", tmp_path / "embedded")
    assert len(load_transitions("toy/a-v0")) == 2
    write_minari("toy/a-v0", [episode(0, 3)])
    assert len(load_transitions("toy/a-v0")) == 3
    assert minari_ids.known_ids() == ["toy/a-v0"]


def test_every_embedded_dataset_loads() -> None:
    for dataset_id in embedded_ids():
        assert load_transitions(dataset_id).env_spec is not None


def test_a_folder_with_the_words_of_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my/it-v0/data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match=r"If you mean the folder of that name, write '\./my/it-v0'"):
        load_transitions("my/it-v0")
