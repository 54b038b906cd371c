from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from offline_envs.agents import AGENTS, online_agents
from offline_envs.collect import CollectSettings, Kind
from offline_envs.collect.agents import load_agent, new_agent, policy_digest
from offline_envs.errors import CheckpointError, SettingsError


@pytest.mark.parametrize("name", online_agents())
def test_each_agent_is_made_with_the_widths_asked_for(name: str) -> None:
    env = gym.make("Pendulum-v1" if AGENTS[name].continuous else "CartPole-v1")
    agent = new_agent(CollectSettings(Kind.REPLAY, 10, agent=name, net_arch=(8, 4)), env, steps=10)
    assert type(agent) is AGENTS[name].load()
    assert agent.policy_kwargs["net_arch"] == [8, 4]
    assert (agent.action_noise is not None) == (name in ("td3", "ddpg"))


def test_a_missing_or_foreign_policy_file_is_named(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.zip"
    foreign.write_text("no zip file")
    for path in (foreign, tmp_path / "missing.zip"):
        with pytest.raises(CheckpointError, match=f"{path.name} cannot be loaded as a policy of sac"):
            load_agent(CollectSettings(Kind.EXPERT, 10), path, gym.make("Pendulum-v1"))


def test_a_policy_for_other_spaces_is_refused(tmp_path: Path) -> None:
    settings = CollectSettings(Kind.EXPERT, 10, net_arch=(8,))
    new_agent(settings, gym.make("Pendulum-v1"), steps=10).save(tmp_path / "p.zip")
    with pytest.raises(SettingsError, match="trained with observation_space"):
        load_agent(settings, tmp_path / "p.zip", gym.make("InvertedPendulum-v5"))


@pytest.mark.parametrize("name", AGENTS)
def test_a_policy_of_any_agent_is_loaded(name: str, tmp_path: Path) -> None:
    """Its actions are those of the agent that saved it."""
    env = gym.make("Pendulum-v1" if AGENTS[name].continuous else "CartPole-v1")
    kind: Any = AGENTS[name].load()
    saved = kind("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, device="cpu", seed=1)
    saved.save(tmp_path / "p.zip")
    path = tmp_path / "p.zip"
    loaded = load_agent(CollectSettings(Kind.EXPERT, 10, agent=name, policy=path), path, env)
    obs = np.ones(env.observation_space.shape or (), np.float32)
    np.testing.assert_array_equal(
        loaded.predict(obs, deterministic=True)[0], saved.predict(obs, deterministic=True)[0]
    )


def test_a_policys_digest_is_that_of_its_file(tmp_path: Path) -> None:
    """SHA-256 of "abc" is from FIPS 180. The suffix may be left out, as when the policy is loaded."""
    (tmp_path / "p.zip").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert policy_digest(tmp_path / "p.zip") == policy_digest(tmp_path / "p") == expected
    with pytest.raises(CheckpointError, match=r"There is no file .*missing\.zip to load a policy from"):
        policy_digest(tmp_path / "missing.zip")
