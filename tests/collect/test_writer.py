import os
from pathlib import Path

import gymnasium as gym
import minari
import numpy as np
import pytest
from gymnasium.spaces import Box
from minari.data_collector import EpisodeBuffer

from offline_envs.collect import writer
from offline_envs.collect.rollouts import SpaceSamples, roll_out
from offline_envs.data import MINARI_ROOT_VARIABLE, minari_root
from offline_envs.errors import DatasetError, StorageError
from offline_envs.evaluation.recorder import EpisodeRecorder

DATASET_ID = "some/where/pendulum-random-v0"


@pytest.fixture
def provenance() -> writer.Provenance:
    return writer.Provenance(
        gym.spec("Pendulum-v1"),
        Box(-np.inf, np.inf, (3,)),
        Box(-2.0, 2.0, (1,)),
        "random",
        "Uniform actions.",
    )


@pytest.fixture
def pendulum_episodes() -> list[EpisodeBuffer]:
    recorder = EpisodeRecorder(gym.make("Pendulum-v1", max_episode_steps=5))
    roll_out(recorder, SpaceSamples(recorder, 0), steps=62, seed=0)
    return recorder.finish()


def write(root: Path, episodes: list[EpisodeBuffer], provenance: writer.Provenance) -> Path:
    return writer.write_dataset(DATASET_ID, episodes, root=root, scratch=root, provenance=provenance)


def test_minari_reads_back_what_was_written(
    tmp_path: Path,
    pendulum_episodes: list[EpisodeBuffer],
    provenance: writer.Provenance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = write(tmp_path, pendulum_episodes, provenance)
    monkeypatch.setenv(MINARI_ROOT_VARIABLE, str(tmp_path))
    dataset = minari.load_dataset(DATASET_ID)
    assert folder == tmp_path / DATASET_ID
    assert dataset.total_steps == 62
    assert dataset.total_episodes == len(pendulum_episodes) == 13
    for read, written in zip(dataset, pendulum_episodes, strict=True):
        np.testing.assert_array_equal(read.observations, written.observations)
        np.testing.assert_array_equal(read.actions, written.actions)
        np.testing.assert_array_equal(read.truncations, written.truncations)


def test_the_root_may_be_relative(
    tmp_path: Path,
    pendulum_episodes: list[EpisodeBuffer],
    provenance: writer.Provenance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("some/root").mkdir(parents=True)
    write(Path("some/root"), pendulum_episodes, provenance)
    assert (tmp_path / "some/root" / DATASET_ID / "data" / "main_data.hdf5").is_file()


def test_the_metadata_say_where_the_data_come_from(
    tmp_path: Path,
    pendulum_episodes: list[EpisodeBuffer],
    provenance: writer.Provenance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(tmp_path, pendulum_episodes, provenance)
    monkeypatch.setenv(MINARI_ROOT_VARIABLE, str(tmp_path))
    dataset = minari.load_dataset(DATASET_ID)
    assert dataset.env_spec is not None
    assert dataset.env_spec.id == "Pendulum-v1"
    assert dataset.storage.metadata["algorithm_name"] == "random"
    assert dataset.storage.metadata["description"] == "Uniform actions."
    assert set(minari.list_local_datasets()) == {DATASET_ID}
    assert set(minari.namespace.list_local_namespaces()) == {"some", "some/where"}


def test_more_episodes_can_be_added_afterwards(
    tmp_path: Path,
    pendulum_episodes: list[EpisodeBuffer],
    provenance: writer.Provenance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Repacked arrays cannot grow, but Minari's way of adding full episodes has to work."""
    write(tmp_path, pendulum_episodes[:2], provenance)
    monkeypatch.setenv(MINARI_ROOT_VARIABLE, str(tmp_path))
    minari.load_dataset(DATASET_ID).storage.update_episodes([pendulum_episodes[2]])
    assert minari.load_dataset(DATASET_ID).total_steps == 15


def test_a_short_episode_takes_little_space(
    tmp_path: Path, pendulum_episodes: list[EpisodeBuffer], provenance: writer.Provenance
) -> None:
    folder = write(tmp_path, pendulum_episodes, provenance)
    assert (folder / "data" / "main_data.hdf5").stat().st_size < 4_000 * len(pendulum_episodes)


def test_an_existing_dataset_is_left_alone(
    tmp_path: Path, pendulum_episodes: list[EpisodeBuffer], provenance: writer.Provenance
) -> None:
    folder = write(tmp_path, pendulum_episodes, provenance)
    before = (folder / "data" / "main_data.hdf5").read_bytes()
    with pytest.raises(DatasetError, match="exists and is never overwritten"):
        write(tmp_path, pendulum_episodes[:1], provenance)
    assert (folder / "data" / "main_data.hdf5").read_bytes() == before


@pytest.mark.parametrize("moment", ["_create", "_repack", "_copy_namespaces"])
def test_an_interruption_while_writing_leaves_no_dataset(
    tmp_path: Path,
    pendulum_episodes: list[EpisodeBuffer],
    provenance: writer.Provenance,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, moment, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, pendulum_episodes, provenance)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    write(tmp_path, pendulum_episodes, provenance)


def test_minaris_root_is_restored(
    tmp_path: Path,
    pendulum_episodes: list[EpisodeBuffer],
    provenance: writer.Provenance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(MINARI_ROOT_VARIABLE, "/elsewhere")
    write(tmp_path, pendulum_episodes, provenance)
    assert os.environ[MINARI_ROOT_VARIABLE] == "/elsewhere"


@pytest.mark.parametrize("dataset_id", ["no-version", "../escape-v0", "/abs/olute-v0", "bad name-v0"])
def test_a_malformed_id_is_refused(tmp_path: Path, dataset_id: str) -> None:
    with pytest.raises(DatasetError, match="'my/pendulum-replay-v0'; got"):
        writer.check_new(dataset_id, tmp_path)


def test_an_id_without_a_namespace_is_valid(tmp_path: Path) -> None:
    writer.check_new("pendulum-v0", tmp_path)


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        StorageError, match=r"is not a folder\. --output-root, or MINARI_DATASETS_PATH, chooses"
    ):
        writer.check_new(DATASET_ID, tmp_path / "file")


def test_a_home_that_cannot_be_written_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.delenv(MINARI_ROOT_VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError, match=r"file/\.minari/datasets/.*: .* MINARI_DATASETS_PATH, chooses"):
        writer.check_new(DATASET_ID, minari_root())
