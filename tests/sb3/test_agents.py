import pytest

from offline_envs.errors import SettingsError
from offline_envs.sb3 import AGENTS, agent_class


@pytest.mark.parametrize("name", AGENTS)
def test_every_name_is_an_agent(name: str) -> None:
    assert agent_class(name).__name__.lower() == name


def test_an_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(
        SettingsError, match=r"Unknown agent 'ppo'\. Valid: crossq, ddpg, fastsac, sac, td3, tqc, trpo"
    ):
        agent_class("ppo")
