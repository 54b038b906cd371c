from pathlib import Path

import gymnasium as gym
import pytest

from offline_envs.collect import Agent, CollectSettings, Kind
from offline_envs.collect.agents import AGENT_CLASSES, load_agent, new_agent
from offline_envs.errors import CheckpointError, SettingsError


@pytest.mark.parametrize("name", list(Agent))
def test_each_agent_is_made_with_the_widths_asked_for(name: Agent) -> None:
    env = gym.make("Pendulum-v1")
    agent = new_agent(CollectSettings(Kind.REPLAY, 10, agent=name, net_arch=(8, 4)), env, steps=10)
    assert type(agent) is AGENT_CLASSES[name]
    assert agent.policy_kwargs["net_arch"] == [8, 4]
    assert (agent.action_noise is not None) == (name is Agent.TD3)


def test_a_missing_or_foreign_policy_file_is_named(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.zip"
    foreign.write_text("no zip file")
    for path in (foreign, tmp_path / "missing.zip"):
        with pytest.raises(CheckpointError, match=f"{path.name} cannot be loaded as a SAC policy"):
            load_agent(CollectSettings(Kind.EXPERT, 10), path, gym.make("Pendulum-v1"))


def test_a_policy_for_other_spaces_is_refused(tmp_path: Path) -> None:
    settings = CollectSettings(Kind.EXPERT, 10, net_arch=(8,))
    new_agent(settings, gym.make("Pendulum-v1"), steps=10).save(tmp_path / "p.zip")
    with pytest.raises(SettingsError, match="trained with observation_space"):
        load_agent(settings, tmp_path / "p.zip", gym.make("InvertedPendulum-v5"))
