"""A dynamics reward is trained once, shared, and refused where it is damaged or of something else."""

import gc
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_envs.consistency import (
    DiscriminatorSettings,
    DynamicsReward,
    fitted_dynamics_reward,
    load_dynamics_reward,
    save_dynamics_reward,
    store,
)
from offline_envs.dynamics import FunctionModel, cache_entries
from offline_envs.errors import CheckpointError
from offline_envs.files import read_tensors, unfinished, write_tensors
from tests.consistency.test_dynamics_reward import made_up, steps
from tests.consistency.test_training import QUICK
from tests.toy import spreading_ensemble, toy_ensemble, toy_transitions


def fitted(cache_dir: Path, model: Any = None, settings: DiscriminatorSettings = QUICK) -> DynamicsReward:
    return fitted_dynamics_reward(
        model or toy_ensemble(), toy_transitions(), settings, cache_dir=cache_dir, progress=False
    )


def refuse(*args: object, **kwargs: object) -> None:
    raise AssertionError("trained twice")


def rewards(reward: DynamicsReward) -> torch.Tensor:
    return reward(*steps(20))


def test_it_is_trained_once_and_then_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fitted(tmp_path)
    monkeypatch.setattr(store, "fit_dynamics_reward", refuse)
    assert fitted(tmp_path) is first
    before = rewards(first)
    del first
    gc.collect()
    assert torch.equal(rewards(fitted(tmp_path)), before)
    assert [path.suffix for path in (tmp_path / "discriminators").iterdir()] == [".safetensors"]


def test_other_weights_settings_and_data_have_other_files(tmp_path: Path) -> None:
    fitted(tmp_path)
    fitted(tmp_path, spreading_ensemble())
    fitted(tmp_path, settings=DiscriminatorSettings.from_json({**QUICK.to_json(), "successor": "next_obs"}))
    assert len(list((tmp_path / "discriminators").iterdir())) == 3


def test_saved_and_read_it_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "reward.safetensors"
    save_dynamics_reward(path, made_up(), about={"seed": 3})
    assert torch.equal(rewards(load_dynamics_reward(path, about={"seed": 3})), rewards(made_up()))
    with pytest.raises(CheckpointError, match="belongs to other seed"):
        load_dynamics_reward(path, about={"seed": 4})


def test_what_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reward.safetensors"
    save_dynamics_reward(path, made_up())
    tensors, header = read_tensors(path)
    for lacking in ("of_model", "layers.1.bias"):
        write_tensors(path, {n: t for n, t in tensors.items() if n != lacking}, header)
        with pytest.raises(CheckpointError, match=rf"header and tensors disagree \('{lacking}'\)"):
            load_dynamics_reward(path)
    write_tensors(path, tensors, {"about": {}})
    with pytest.raises(CheckpointError, match="header and tensors disagree"):
        load_dynamics_reward(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="truncated"):
        load_dynamics_reward(path)


def test_a_function_has_one_for_as_long_as_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing about a function identifies it in the cache."""

    def moved(obs: torch.Tensor, action: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return obs + action, obs[:, 0]

    model = FunctionModel(moved, obs_dim=2, action_dim=1)
    first = fitted(tmp_path, model)
    other = DiscriminatorSettings.from_json({**QUICK.to_json(), "seed": 1})
    assert fitted(tmp_path, model, other) is not first
    monkeypatch.setattr(store, "fit_dynamics_reward", refuse)
    assert fitted(tmp_path, model) is first
    assert not (tmp_path / "discriminators").exists()


def test_a_damaged_file_in_the_cache_is_named(tmp_path: Path) -> None:
    fitted(tmp_path)
    gc.collect()
    (path,) = (tmp_path / "discriminators").iterdir()
    path.write_bytes(b"?")
    with pytest.raises(CheckpointError, match=f"Delete {path} to compute it again"):
        fitted(tmp_path)


def test_the_cache_lists_it_and_what_is_left_of_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "save_dynamics_reward", stop)
        with pytest.raises(KeyboardInterrupt):
            fitted(tmp_path)
    (entry,) = [entry for entry in cache_entries(tmp_path) if entry.kind != "leftover"]
    assert (entry.kind, entry.settings) == ("interrupted fit", "3 discriminators done")
    assert entry.fingerprint == toy_transitions().fingerprint
    fitted(tmp_path)
    (entry,) = cache_entries(tmp_path)
    assert (entry.kind, entry.dataset, entry.settings) == ("discriminators", "toy", "seed 0")
    assert entry.fingerprint == toy_transitions().fingerprint
    unfinished(entry.path).mkdir()
    assert sorted(entry.kind for entry in cache_entries(tmp_path)) == ["discriminators", "leftover"]
