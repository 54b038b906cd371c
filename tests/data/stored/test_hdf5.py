"""A file that points to other files, or declares more than it holds, is refused wherever it is read."""

from collections.abc import Callable
from pathlib import Path

import h5py
import minari
import numpy as np
import pytest

from offline_envs.data import load_transitions
from offline_envs.data.stored import hdf5
from offline_envs.errors import DatasetError
from tests.data.worlds import arrays, episode, write_minari

Place = Callable[[h5py.Group, str, Path], None]


def by_external_link(group: h5py.Group, name: str, other: Path) -> None:
    group[name] = h5py.ExternalLink(other, "secret")


def by_soft_link_through_an_external_one(group: h5py.Group, name: str, other: Path) -> None:
    group.file["door"] = h5py.ExternalLink(other, "/")
    group[name] = h5py.SoftLink("/door/secret")


def by_raw_file(group: h5py.Group, name: str, other: Path) -> None:
    group.create_dataset(name, (5,), "f8", external=[(str(other), 0, 40)])


def by_virtual_array(group: h5py.Group, name: str, other: Path) -> None:
    layout = h5py.VirtualLayout((5,), "f8")
    layout[:] = h5py.VirtualSource(other, "secret", (5,))
    group.create_virtual_dataset(name, layout)


PLACES: dict[str, tuple[Place, str]] = {
    "external link": (by_external_link, r"'rewards' is a link to another file"),
    "soft link outside": (
        by_soft_link_through_an_external_one,
        "'(door|/door/secret)' is a link to another file",
    ),
    "external storage": (by_raw_file, r"'rewards' lies in other files"),
    "virtual dataset": (by_virtual_array, r"'rewards' lies in other files"),
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of this machine, which a dataset wants to show as its rewards."""
    path = tmp_path / "secret.hdf5"
    with h5py.File(path, "w") as file:
        file["secret"] = np.arange(5.0)
    return path


@pytest.mark.parametrize("kind", PLACES)
def test_rewards_of_another_file_are_refused(kind: str, secret: Path, tmp_path: Path) -> None:
    """In both layouts: D4RL's, with the rewards at the top, and Minari's, one group an episode."""
    place, message = PLACES[kind]
    flat = tmp_path / "flat.hdf5"
    with h5py.File(flat, "w") as file:
        for name, values in arrays(rewards=None).items():
            file[name] = values
        place(file, "rewards", secret)
        assert kind == "external storage" or file["rewards"][:].tolist() == [0, 1, 2, 3, 4]
    storage = write_minari("other-v0", [episode(0, 5)]).storage
    with h5py.File(Path(storage.data_path) / "main_data.hdf5", "a") as file:
        del file["episode_0/rewards"]
        place(file["episode_0"], "rewards", secret)
    for dataset in (flat, "other-v0", minari.load_dataset("other-v0")):
        with pytest.raises(DatasetError, match=f"hdf5: {message}; a dataset must hold its own"):
            load_transitions(dataset)


@pytest.mark.parametrize("name", ["episode_0", "episode_0/infos", "episode_0/infos/x"])
def test_an_episode_or_an_info_of_another_file_is_refused(name: str, tmp_path: Path) -> None:
    infos = {"x": np.arange(4.0)}
    for dataset_id in ("own-v0", "borrowed-v0"):
        write_minari(dataset_id, [episode(0, 3, infos=infos)])
    paths = [Path(minari.load_dataset(i).storage.data_path) for i in ("own-v0", "borrowed-v0")]
    with h5py.File(paths[1] / "main_data.hdf5", "a") as file:
        del file[name]
        file[name] = h5py.ExternalLink(paths[0] / "main_data.hdf5", name)
    assert load_transitions("own-v0").infos["x"].tolist() == [1, 2, 3]
    with pytest.raises(DatasetError, match=r"is a link to another file"):
        load_transitions("borrowed-v0")


def test_a_link_to_another_file_is_not_even_opened(tmp_path: Path) -> None:
    """Opening a device or a pipe could wait for ever; here it would say that there is no such file."""
    with h5py.File(tmp_path / "d.hdf5", "w") as file:
        file["observations"] = h5py.ExternalLink(tmp_path / "no-such-file", "x")
    with pytest.raises(DatasetError, match="'observations' is a link to another file"):
        load_transitions(tmp_path / "d.hdf5")


def test_links_inside_a_file_are_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "own.hdf5", "w") as file:
        for name, values in arrays(rewards=None, observations=None).items():
            file[name] = values
        file["infos/rewards"] = np.arange(5.0)
        file["rewards"] = h5py.SoftLink("/infos/rewards")
        file["infos/first"] = arrays()["observations"]
        file["observations"] = h5py.SoftLink("infos/second")
        file["infos/second"] = h5py.SoftLink("first")
    data = load_transitions(tmp_path / "own.hdf5")
    assert data.rewards.tolist() == [0, 1, 2, 3, 4]
    assert data.obs[:, 0].tolist() == [0, 1, 2, 10, 11]


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "round.hdf5", "w") as file:
        file["a"] = h5py.SoftLink("/b")
        file["b"] = h5py.SoftLink("/a")
    with pytest.raises(DatasetError, match="is one of too many links"):
        load_transitions(tmp_path / "round.hdf5")
    for kind in ("hard", "soft"):
        path = tmp_path / f"{kind}.hdf5"
        with h5py.File(path, "w") as file:
            group = file.create_group("infos")
            group["again"] = h5py.SoftLink("/infos") if kind == "soft" else group
        with pytest.raises(DatasetError, match="'again' is another name of a group"):
            load_transitions(path)


def test_what_is_not_what_its_name_says(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "odd.hdf5", "w") as file:
        file["array"] = np.arange(3.0)
        file["empty"] = h5py.Empty("f")
        file.create_group("group")
    with hdf5.opened(tmp_path / "odd.hdf5") as root:
        for call, name, message in (
            (hdf5.read, "group", "'group' must be an array"),
            (hdf5.subgroup, "array", "'array' must be a group"),
            (hdf5.read, "array/x", "leads through an array"),
            (hdf5.read, "empty", "without a shape"),
        ):
            with pytest.raises(DatasetError, match=message):
                call(root, name)
        assert hdf5.array_names(root) == ["array", "empty"]


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("chunks", [None, (1000,)])
def test_an_array_that_is_declared_and_not_stored(
    compression: str | None, chunks: tuple[int] | None, tmp_path: Path
) -> None:
    path = tmp_path / "vast.hdf5"
    with h5py.File(path, "w") as file:
        for name, values in arrays(rewards=None).items():
            file[name] = values
        file.create_dataset("rewards", (10**12,), "f4", chunks=chunks, compression=compression)
    assert path.stat().st_size < 20_000
    message = (
        r"'rewards', \(1000000000000,\) float32, declares 4,000,000,000,000 bytes, of which 0 are stored"
    )
    with pytest.raises(DatasetError, match=message):
        load_transitions(path)


def test_an_honest_file_may_be_a_thousand_times_smaller(tmp_path: Path) -> None:
    """Zeros are what deflate likes best, and a small array may be left out altogether."""
    n = 300_000
    with h5py.File(tmp_path / "zeros.hdf5", "w") as file:
        for name in ("observations", "next_observations", "actions"):
            file.create_dataset(
                name, (n, 2), "f4", data=np.zeros((n, 2)), compression="gzip", compression_opts=9
            )
        file["rewards"] = np.zeros(n, np.float32)
        file.create_dataset("terminals", (n,), "?")
        file["timeouts"] = np.arange(n) % 100 == 99
    assert (tmp_path / "zeros.hdf5").stat().st_size < 2_000_000
    data = load_transitions(tmp_path / "zeros.hdf5")
    assert len(data) == n
    assert not data.terminated.any()
