from pathlib import Path

import gymnasium as gym
import pytest

from offline_envs.collect import Agent, CollectSettings, Kind
from offline_envs.collect.agents import AGENT_CLASSES, Snapshot, choose_snapshot, load_agent, new_agent
from offline_envs.errors import CheckpointError, SettingsError


def snapshots(*returns: float) -> list[Snapshot]:
    return [Snapshot(steps, mean_return, {}) for steps, mean_return in enumerate(returns)]


def test_expert_is_the_best_snapshot_even_if_it_is_not_the_last() -> None:
    assert choose_snapshot(snapshots(0, 90, 50), Kind.EXPERT, random_return=0).mean_return == 90


def test_medium_is_the_snapshot_nearest_to_a_third_of_the_way() -> None:
    """From -30 to 90 a third of the way is 10; from 0 it would be 30."""
    chosen = choose_snapshot(snapshots(-40, 12, 30, 90), Kind.MEDIUM, random_return=-30)
    assert chosen.mean_return == 12


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
            load_agent(CollectSettings(Kind.EXPERT, 10, policy=path), gym.make("Pendulum-v1"))


def test_a_policy_for_other_spaces_is_refused(tmp_path: Path) -> None:
    settings = CollectSettings(Kind.EXPERT, 10, net_arch=(8,), policy=tmp_path / "p.zip")
    new_agent(settings, gym.make("Pendulum-v1"), steps=10).save(tmp_path / "p.zip")
    with pytest.raises(SettingsError, match="trained with observation_space"):
        load_agent(settings, gym.make("InvertedPendulum-v5"))
