"""Agents from their files: one way, with one error, wherever a policy is named."""

from pathlib import Path

import numpy as np
import pytest
from stable_baselines3 import SAC

from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.policies import read_agent


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[SAC, Path]:
    agent = SAC("MlpPolicy", "Pendulum-v1", policy_kwargs={"net_arch": [8]}, buffer_size=1, seed=0)
    path = tmp_path_factory.mktemp("policy") / "policy.zip"
    agent.save(path)
    return agent, path


def test_an_agent_acts_as_the_one_that_was_saved(saved: tuple[SAC, Path]) -> None:
    agent, path = saved
    found, obs = read_agent(str(path), "sac"), np.ones(3, np.float32)
    assert type(found) is SAC
    assert found.device.type == "cpu"
    assert found.predict(obs, deterministic=True)[0] == agent.predict(obs, deterministic=True)[0]


def test_what_is_no_file_of_the_agent_is_refused_with_the_others(
    saved: tuple[SAC, Path], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(saved[1].read_bytes()[:-100])
    for path in (damaged, tmp_path / "missing.zip"):
        with pytest.raises(CheckpointError, match=rf"{path.name} cannot be loaded as a policy of sac: .*td3"):
            read_agent(path, "sac")
    with pytest.raises(CheckpointError, match=rf"{saved[1].name} cannot be loaded as a policy of td3: "):
        read_agent(saved[1], "td3")
    with pytest.raises(SettingsError, match="saac"):
        read_agent(saved[1], "saac")
