from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import SAC

from offline_envs.errors import CheckpointError
from offline_envs.runs.resuming.checkpoint import AGENT_FILE, has_checkpoint, load_checkpoint, save_checkpoint
from offline_envs.sb3 import SB3VecEnv, mopo_schedule
from tests.runs.tiny import DEMO


def make_env(model: Path) -> SB3VecEnv:
    return SB3VecEnv(
        gym.make_vec("LearnedModel-v0", 2, dataset=DEMO, model=model, max_episode_steps=2, progress=False)
    )


def make_agent(model: Path, steps: int) -> Any:
    schedule = mopo_schedule(2, 2, transitions_per_gradient_step=2, retained_transitions=40)
    options: dict[str, Any] = {
        "batch_size": 4,
        "policy_kwargs": {"net_arch": [4]},
        "device": "cpu",
        "seed": 0,
    }
    return SAC("MlpPolicy", make_env(model), **schedule, **options).learn(steps, log_interval=1000)


def save(agent: Any, folder: Path) -> None:
    save_checkpoint(agent, agent.env, folder)


def load(model: Path, folder: Path) -> Any:
    return load_checkpoint(SAC, folder, make_env(model), device="cpu")


def test_agent_and_buffer_come_back(tiny_model: Path, tmp_path: Path) -> None:
    agent, folder = make_agent(tiny_model, 8), tmp_path / "checkpoint"
    assert not has_checkpoint(folder)
    save(agent, folder)
    loaded = load(tiny_model, folder)
    assert (loaded._n_updates, loaded.num_timesteps, loaded.replay_buffer.size()) == (4, 8, 4)
    obs = np.ones(agent.observation_space.shape, np.float32)
    assert np.array_equal(
        agent.predict(obs, deterministic=True)[0], loaded.predict(obs, deterministic=True)[0]
    )
    save(make_agent(tiny_model, 12), folder)
    assert load(tiny_model, folder).num_timesteps == 12
    assert list(tmp_path.iterdir()) == [folder]


def test_a_crash_while_saving_leaves_the_old_one(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, folder = make_agent(tiny_model, 8), tmp_path / "checkpoint"
    save(agent, folder)

    def full_disk(path: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(agent, "save_replay_buffer", full_disk)
    with pytest.raises(OSError, match="disk full"):
        save(agent, folder)
    assert load(tiny_model, folder).num_timesteps == 8


def test_a_kill_between_the_two_renamings_loses_nothing(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    save(make_agent(tiny_model, 8), folder)
    folder.rename(tmp_path / ".checkpoint.old")
    assert has_checkpoint(folder)
    assert load(tiny_model, folder).num_timesteps == 8


def test_a_damaged_checkpoint_is_named(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    save(make_agent(tiny_model, 8), folder)
    (folder / AGENT_FILE).write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"checkpoint .*checkpoint cannot be read"):
        load(tiny_model, folder)
