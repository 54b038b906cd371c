import subprocess
import sys

import pytest
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from typer.testing import CliRunner

from offline_envs.agents import (
    AGENTS,
    Agent,
    find_saved_agent,
    off_policy_agents,
    online_agents,
    saved_agents,
)
from offline_envs.cli import app
from offline_envs.errors import SettingsError
from offline_envs.runs import TrainSettings


class OwnSAC(SAC):
    """An agent from a user's package."""


@pytest.fixture
def own_agent(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(AGENTS, "_entries", dict(AGENTS))
    AGENTS.register("own", Agent(__name__, "OwnSAC"))
    return "own"


@pytest.mark.parametrize("name", AGENTS)
def test_the_flags_are_those_of_the_class(name: str) -> None:
    kind = AGENTS[name].load()
    assert kind.__name__.lower() == {"trpo": "averagedtrpo"}.get(name, name)
    assert AGENTS[name].off_policy == issubclass(kind, OffPolicyAlgorithm)
    assert AGENTS[name].needs_noise == (name in ("td3", "ddpg"))  # the others' policies are distributions


def test_agents_that_need_a_model_or_a_dataset_do_not_learn_online() -> None:
    assert set(off_policy_agents()) - set(online_agents()) == {"combo", "mobile"}


def test_the_table_is_cheap_to_import() -> None:
    slow = ("torch", "stable_baselines3")
    code = f"import sys, offline_envs.agents; print([m for m in {slow} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert result.stdout.strip() == "[]"


def test_an_unknown_agent_is_refused_by_name() -> None:
    valid = "combo, crossq, ddpg, dqn, fastsac, mobile, qrdqn, ravl, redq, sac, td3, tqc, trpo"
    with pytest.raises(SettingsError, match=rf"Unknown agent 'ppo'\. Valid: {valid}"):
        AGENTS.find("ppo")
    assert sorted([*off_policy_agents(), "trpo"]) == valid.split(", ")


def test_policies_of_further_agents_can_be_loaded() -> None:
    assert {*AGENTS, "ppo", "a2c"} == set(saved_agents())
    assert find_saved_agent("ppo").load() is PPO
    assert find_saved_agent("sac").load() is SAC
    with pytest.raises(SettingsError, match=r"Unknown agent 'ars'\. Valid: a2c, combo, crossq"):
        find_saved_agent("ars")
    with pytest.raises(SettingsError, match="Unknown agent 'ppo'"):
        TrainSettings("a-v0", agent="ppo")


@pytest.mark.parametrize("command", ["train", "evaluate", "diagnose", "collect"])
def test_the_help_of_each_command_lists_them_all(command: str) -> None:
    text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "400"}).output
    assert [name for name in AGENTS if name not in text] == []


def test_a_user_defined_agent_is_one_row(own_agent: str) -> None:
    assert TrainSettings("a-v0", agent=own_agent).cycle().timesteps > 0
    assert AGENTS[own_agent].load() is OwnSAC
    assert own_agent in off_policy_agents()
