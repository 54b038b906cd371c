"""Relabelled datasets on disk: they are read back as written, and never half written."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

import offline_envs
from offline_envs.collect import episode_buffers
from offline_envs.collect.relabelled import write_relabelled
from offline_envs.data import load_transitions
from offline_envs.data.transitions import TENSOR_FIELDS
from offline_envs.errors import DatasetError
from offline_envs.tasks import Relabelling
from tests.data.tables.plants import COLUMNS, rows
from tests.data.worlds import transitions, write_minari
from tests.tasks.simulated import simulated

NAME = "my/jump-v0"


def test_what_is_read_back_is_what_was_written(tmp_path: Path) -> None:
    """250 steps: two full episodes and one that is cut short, and an info with unknown values."""
    data = simulated("HalfCheetah-v5", 250).transitions
    unknown = torch.full((250,), torch.nan)
    found = Relabelling.of(replace(data, infos={**data.infos, "unknown": unknown}), "halfcheetah-jump")
    folder = write_relabelled(found, NAME, root=tmp_path)
    written, read = found.transitions, load_transitions(folder)
    for name in TENSOR_FIELDS:
        assert torch.equal(getattr(read, name), getattr(written, name)), name
    assert set(read.infos) == set(written.infos)
    for name, values in written.infos.items():
        np.testing.assert_array_equal(read.infos[name], values)
    assert read.env_spec == written.env_spec
    assert read.action_space == written.action_space


def test_terminations_are_read_back(tmp_path: Path) -> None:
    data = simulated("Ant-v5", include_cfrc_ext_in_observation=False).transitions
    terminated = data.terminated.clone()
    terminated[data.episode_starts[1:] - 1] = True
    found = Relabelling.of(replace(data, terminated=terminated), "ant-angle:degrees=45")
    read = load_transitions(write_relabelled(found, "my/angle-v0", root=tmp_path))
    assert torch.equal(read.terminated, terminated)
    assert read.env_spec is not None
    assert read.env_spec.kwargs == {"task": "ant-angle", "degrees": 45.0}


def test_the_metadata_say_where_the_rewards_come_from(tmp_path: Path) -> None:
    found = Relabelling.of(simulated("HalfCheetah-v5").transitions, "halfcheetah-jump:jump_weight=10")
    folder = write_relabelled(found, NAME, root=tmp_path)
    metadata = json.loads((folder / "data" / "metadata.json").read_text())
    assert metadata["relabelled_from"] == "HalfCheetah-v5"
    assert metadata["task"] == "halfcheetah-jump:jump_weight=10.0"
    assert metadata["reward_formula"] == "min(vx, 3) - 0.1 |a|^2 + 10 z"
    assert metadata["info_sources"]["x_velocity"].startswith("x_velocity from logged infos: exact")
    assert metadata["source_fingerprint"] == simulated("HalfCheetah-v5").transitions.fingerprint
    assert EnvSpec.from_json(metadata["source_env_spec"]).id == "HalfCheetah-v5"
    assert metadata["algorithm_name"] == "unknown"
    assert metadata["offline_envs_version"] == offline_envs.__version__


def test_a_dataset_that_is_relabelled_twice_keeps_both_origins(tmp_path: Path) -> None:
    data = replace(simulated("HalfCheetah-v5").transitions, metadata={"algorithm_name": "SAC"})
    first = write_relabelled(Relabelling.of(data, "halfcheetah-velocity"), NAME, root=tmp_path)
    again = Relabelling.of(first, "halfcheetah-jump")
    metadata = load_transitions(write_relabelled(again, "my/jump-v1", root=tmp_path)).metadata
    assert metadata["task"] == "halfcheetah-jump"
    assert metadata["algorithm_name"] == "SAC"
    earlier = metadata["source_metadata"]
    assert (earlier["dataset_id"], earlier["task"]) == (NAME, "halfcheetah-velocity")
    assert earlier["source_metadata"] == {"algorithm_name": "SAC"}
    assert earlier["source_fingerprint"] == data.fingerprint


def test_a_dataset_is_never_overwritten(tmp_path: Path) -> None:
    found = Relabelling.of(simulated("HalfCheetah-v5").transitions, "halfcheetah-jump")
    write_relabelled(found, NAME, root=tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DatasetError, match="never overwritten"):
        write_relabelled(found, NAME, root=tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_steps_that_are_not_consecutive_are_refused(tmp_path: Path) -> None:
    """Minari has one row of observations per episode: joining these steps would invent a jump."""
    data = simulated("HalfCheetah-v5").transitions
    obs = data.obs.clone()
    obs[[6, 100]] += 1.0  # row 100 begins an episode, where a jump is allowed
    found = Relabelling.of(replace(data, obs=obs), "halfcheetah-jump")
    with pytest.raises(DatasetError, match=r"in 1 rows next_obs is not the next obs, the first in row 5\."):
        write_relabelled(found, NAME, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_the_same_steps_when_minari_has_written_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    table = load_transitions(rows(), columns=COLUMNS)
    space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    episodes = list(episode_buffers(table))
    write_minari("my/plant-v0", episodes, observation_space=space, action_space=table.action_space)
    read = load_transitions("my/plant-v0")
    assert read.fingerprint == table.fingerprint
    assert read.action_space == table.action_space
    with pytest.raises(DatasetError, match="in 3 rows next_obs is not the next obs, the first in row 0"):
        next(episode_buffers(transitions(next_obs=torch.zeros(4, 1))))
