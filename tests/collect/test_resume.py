"""Collections that are interrupted and resumed, compared with the same ones without interruption."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import minari
import numpy as np
import pytest
from numpy.typing import NDArray

from offline_envs.agents import AGENTS, online_agents
from offline_envs.collect import CollectSettings, Kind, collection, writer
from offline_envs.collect.collection import Collected, collect_dataset
from offline_envs.data import MINARI_ROOT_VARIABLE
from offline_envs.errors import CheckpointError, SettingsError, StorageError

ENV_ID = "InvertedPendulum-v5"  # Episodes of about 5 to 15 steps; actions in [-3, 3], not in [-1, 1].
SMALL: dict[str, Any] = {"steps": 180, "net_arch": (8,)}
HIDDEN = Path("test/.it-v0.partial")


class Interruption:
    """Raises at one step of a collection, and counts those done before and during it."""

    def __init__(self, at: int | None) -> None:
        self.at, self.steps, self.done_before = at, 0, 0

    def on_step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise KeyboardInterrupt

    def on_resume(self, done: int) -> None:
        self.done_before = done


def collect(root: Path, interruption: Interruption | None = None, **settings: Any) -> Collected:
    interruption = interruption or Interruption(None)
    return collect_dataset(
        settings.pop("env_id", ENV_ID),
        "test/it-v0",
        learned=settings.pop("learned", None),
        settings=CollectSettings(**{**SMALL, **settings}),
        output_root=root,
        checkpoint_steps=30,
        on_step=interruption.on_step,
        on_resume=interruption.on_resume,
    )


def interrupt(root: Path, at: int, **settings: Any) -> Interruption:
    interruption = Interruption(at)
    with pytest.raises(KeyboardInterrupt):
        collect(root, interruption, **settings)
    assert not (root / "test/it-v0").exists()
    return interruption


def contents(collected: Collected) -> dict[str, NDArray[Any]]:
    """Every array of a dataset by its place in the file."""
    found: dict[str, NDArray[Any]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(collected.folder / "data" / "main_data.hdf5") as file:
        file.visititems(visit)
    return found


def assert_same(one: Collected, other: Collected) -> None:
    ours, theirs = contents(one), contents(other)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 0
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def first_end(collected: Collected, after: int) -> int:
    """The first step from `after` on that ends an episode."""
    return int(next(end for end in np.cumsum(collected.lengths) if end >= after))


def done_before(root: Path) -> int:
    """The step of the last checkpoint of a recording."""
    return max((int(path.name) for path in (root / HIDDEN / "recording").glob("[0-9]*")), default=0)


@pytest.mark.parametrize("agent", online_agents())
def test_an_interrupted_training_resumes_bit_for_bit(tmp_path: Path, agent: str) -> None:
    """Before and after learning starts at step 100; in an episode, at its end, and at the very last step.

    A replay buffer, an optimiser or a generator that were off by anything would change every step after.
    """
    env_id = ENV_ID if AGENTS[agent].continuous else "CartPole-v1"
    settings: dict[str, Any] = {
        "kind": Kind.REPLAY,
        "agent": agent,
        "seed": 2,
        "steps": 200,
        "env_id": env_id,
    }
    whole = collect(tmp_path / "whole", **settings)
    end = first_end(whole, 140)
    root = tmp_path / "resumed"
    for target in (10, 50, end - 1, end, 200):
        interrupt(root, at=target - done_before(root), **settings)
    assert done_before(root) > 140
    last = Interruption(None)
    resumed = collect(root, last, **settings)
    assert last.done_before + last.steps == 200
    assert_same(whole, resumed)
    np.testing.assert_array_equal(whole.returns, resumed.returns)


def test_a_training_resumes_across_time_limits(tmp_path: Path) -> None:
    """Only time limits end these episodes: the refilled buffer must keep them truncated, not terminated."""
    settings: dict[str, Any] = {
        "kind": Kind.REPLAY, "env_id": "Pendulum-v1", "env_kwargs": {"max_episode_steps": 25}
    }  # fmt: skip
    whole = collect(tmp_path / "whole", **settings)
    interrupt(tmp_path / "resumed", at=160, **settings)
    assert_same(whole, collect(tmp_path / "resumed", **settings))


@pytest.mark.parametrize("kind", [Kind.RANDOM, Kind.EXPERT])
def test_interrupted_rollouts_resume_bit_for_bit(tmp_path: Path, kind: Kind) -> None:
    settings: dict[str, Any] = {"kind": kind, "seed": 1}
    if kind is Kind.EXPERT:
        settings["train_steps"] = 110
    length = settings.get("train_steps", 0)
    whole = collect(tmp_path / "whole", **settings)
    interrupt(tmp_path / "resumed", at=length + 70, **settings)
    second = interrupt(tmp_path / "resumed", at=60, **settings)
    assert second.done_before > length
    assert_same(whole, collect(tmp_path / "resumed", **settings))


def test_the_training_before_a_recording_is_resumed(tmp_path: Path) -> None:
    """The best policy may be from before the interruption or from after it; snapshots of both are needed."""
    settings: dict[str, Any] = {"kind": Kind.MEDIUM, "steps": 60, "train_steps": 160}
    whole = collect(tmp_path / "whole", **settings)
    interrupt(tmp_path / "resumed", at=140, **settings)
    second = interrupt(tmp_path / "resumed", at=20, **settings)
    assert 100 < second.done_before < 160
    assert_same(whole, collect(tmp_path / "resumed", **settings))


def test_a_ring_that_is_full_is_refilled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the replay buffer, as beyond a million steps: the newest steps are where they were."""
    from offline_envs.collect import agents

    monkeypatch.setattr(agents, "BUFFER_STEPS", 70)
    whole = collect(tmp_path / "whole", kind=Kind.REPLAY)
    interrupt(tmp_path / "resumed", at=170, kind=Kind.REPLAY)
    assert_same(whole, collect(tmp_path / "resumed", kind=Kind.REPLAY))


@pytest.mark.parametrize("moment", ["write_dataset", "remove"])
def test_an_interruption_while_the_dataset_is_written(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps are done: none is taken again."""

    def stop(*args: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    whole = collect(tmp_path / "whole", kind=Kind.RANDOM)
    root = tmp_path / "resumed"
    monkeypatch.setattr(collection, moment, stop)
    with pytest.raises(KeyboardInterrupt):
        collect(root, kind=Kind.RANDOM)
    monkeypatch.undo()
    if moment == "remove":
        assert (root / "test/it-v0").is_dir()
        shutil.rmtree(root / "test/it-v0")
    rest = Interruption(None)
    assert_same(whole, collect(root, rest, kind=Kind.RANDOM))
    assert (rest.done_before, rest.steps) == (180, 0)


def test_a_checkpoint_that_was_cut_short_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last file of a checkpoint is half written when the process dies."""
    whole = collect(tmp_path / "whole", kind=Kind.REPLAY)
    root = tmp_path / "resumed"
    save, calls = np.save, 0

    def cut(path: Path, array: NDArray[Any]) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            path.write_bytes(b"half")
            raise KeyboardInterrupt
        save(path, array)

    monkeypatch.setattr(np, "save", cut)
    with pytest.raises(KeyboardInterrupt):
        collect(root, kind=Kind.REPLAY)
    monkeypatch.undo()
    assert 60 <= done_before(root) < 90
    assert_same(whole, collect(root, kind=Kind.REPLAY))


def test_unfinished_work_is_hidden_from_minari_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MINARI_ROOT_VARIABLE, str(tmp_path))
    interrupt(tmp_path, at=100, kind=Kind.RANDOM)
    assert minari.list_local_datasets() == {}
    assert (tmp_path / HIDDEN).is_dir()
    collect(tmp_path, kind=Kind.RANDOM)
    assert list(minari.list_local_datasets()) == ["test/it-v0"]
    names = {path.name for path in (tmp_path / "test").iterdir()}
    assert names == {"it-v0", "namespace_metadata.json"}


def test_only_the_newest_agent_is_kept(tmp_path: Path) -> None:
    interrupt(tmp_path, at=170, kind=Kind.REPLAY)
    assert len(list((tmp_path / HIDDEN / "recording").glob("[0-9]*"))) > 2
    assert len(list((tmp_path / HIDDEN).rglob("agent.zip"))) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 9}, "seed differ"),
        ({"steps": 200}, "steps differ"),
        ({"env_id": "InvertedDoublePendulum-v5"}, "env differ"),
        ({"env_kwargs": {"frame_skip": 4}}, "env_kwargs differ"),
    ],
)
def test_other_settings_are_refused_and_the_folder_named(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    interrupt(tmp_path, at=100, kind=Kind.RANDOM)
    with pytest.raises(SettingsError, match=named) as caught:
        collect(tmp_path, **{"kind": Kind.RANDOM, **change})
    assert str(tmp_path / HIDDEN) in str(caught.value)
    collect(tmp_path, kind=Kind.RANDOM)


def test_another_policy_under_the_same_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.zip"
    settings: dict[str, Any] = {"kind": Kind.EXPERT, "policy": path}
    save_policy(path, seed=0)
    interrupt(tmp_path, at=100, **settings)
    save_policy(path, seed=1)
    with pytest.raises(SettingsError, match="policy differ"):
        collect(tmp_path, **settings)


def save_policy(path: Path, *, seed: int) -> None:
    import gymnasium as gym

    from offline_envs.collect.agents import new_agent

    new_agent(CollectSettings(Kind.EXPERT, 10, net_arch=(8,), seed=seed), gym.make(ENV_ID), steps=10).save(
        path
    )


def test_without_a_checkpoint_there_is_nothing_to_refuse(tmp_path: Path) -> None:
    interrupt(tmp_path, at=5, kind=Kind.RANDOM)
    assert collect(tmp_path, kind=Kind.RANDOM, seed=9).lengths.sum() == 180


@pytest.mark.parametrize("name", ["agent.zip", "generators.json", "episodes.npz", "scaled_actions.npy"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"PK broken")])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, name: str, harm: Callable[[Path], object]) -> None:
    interrupt(tmp_path, at=100, kind=Kind.REPLAY)
    harm(sorted((tmp_path / HIDDEN).rglob(name))[-1])
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        collect(tmp_path, kind=Kind.REPLAY)
    assert f"Delete {tmp_path / HIDDEN} to start again" in str(caught.value)


@pytest.mark.parametrize("moment", ["fsync", "create_dataset"])
def test_a_disk_that_is_full_is_one_line_and_nothing_is_lost(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a checkpoint is written, and while the dataset is."""
    whole = collect(tmp_path / "whole", kind=Kind.RANDOM)

    def full(*arguments: object, **keywords: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    root = tmp_path / "full"
    interrupt(root, at=100, kind=Kind.RANDOM)
    monkeypatch.setattr(writer, "check_writable", lambda *arguments: None)  # it fills up later
    monkeypatch.setattr({"fsync": os, "create_dataset": h5py.Group}[moment], moment, full)
    with pytest.raises(StorageError, match=r"Cannot write .*: No space left on device\. --output-root, or"):
        collect(root, kind=Kind.RANDOM)
    monkeypatch.undo()
    assert_same(whole, collect(root, kind=Kind.RANDOM))
