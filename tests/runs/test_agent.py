from typing import Any

import pytest
from stable_baselines3 import SAC, TD3

from offline_envs.agents import AGENTS, Agent
from offline_envs.errors import SettingsError
from offline_envs.runs.agent import check_agent_options, constructor_options
from tests.runs.tiny import tiny_settings


class Passing(SAC):
    """Takes an option of its own, and passes the others on."""

    def __init__(self, *args: Any, own: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own = own


class Further(Passing):
    """Inherits its constructor."""


class Closed(TD3):
    """Takes no option but its own."""

    def __init__(self, policy: Any, env: Any, own: float = 1.0) -> None:
        super().__init__(policy, env)
        self.own = own


def test_options_that_are_passed_on_count() -> None:
    assert constructor_options(SAC) >= {"learning_rate", "gamma", "policy_kwargs"}
    assert constructor_options(Passing) == constructor_options(SAC) | {"own"}
    assert constructor_options(Further) == constructor_options(Passing)
    assert constructor_options(Closed) == {"policy", "env", "own"}


def test_a_run_takes_the_options_of_an_agent_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AGENTS, "_entries", dict(AGENTS))
    AGENTS.register("passing", Agent(__name__, "Passing"))
    check_agent_options(tiny_settings(agent="passing", agent_options={"own": 2.0, "learning_rate": 1e-4}))
    with pytest.raises(SettingsError, match="Unknown option of passing 'learning_rat'"):
        check_agent_options(tiny_settings(agent="passing", agent_options={"learning_rat": 1e-4}))
