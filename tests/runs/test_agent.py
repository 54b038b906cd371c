from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from stable_baselines3 import SAC

from offline_envs.agents import AGENTS, Agent
from offline_envs.errors import SettingsError
from offline_envs.runs import train
from offline_envs.runs.agent import check_agent, check_agent_options
from tests.runs.tiny import tiny_settings


class Passing(SAC):
    """Takes an option of its own, and passes the others on."""

    def __init__(self, *args: Any, own: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own = own


def test_a_run_takes_the_options_of_an_agent_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AGENTS, "_entries", dict(AGENTS))
    AGENTS.register("passing", Agent(__name__, "Passing"))
    check_agent_options(tiny_settings(agent="passing", agent_options={"own": 2.0, "learning_rate": 1e-4}))
    with pytest.raises(SettingsError, match="Unknown option of passing 'learning_rat'"):
        check_agent_options(tiny_settings(agent="passing", agent_options={"learning_rat": 1e-4}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": "1e-3"}, "agent_options do not fit sac: learning_rate must be of type float"),
        ({"gamma": 2}, "agent_options do not fit sac: gamma must be between 0 and 1, got 2"),
        ({"_init_setup_model": False}, "Unknown option of sac '_init_setup_model'"),
        ({"ent_coef": "high"}, "agent_options do not fit sac: could not convert string to float: 'high'"),
        ({"tensorboard_log": "logs"}, "cannot hold 'tensorboard_log': a run logs into tensorboard/"),
        ({"n_steps": 5}, r"agent_options of sac must have n_steps=1, got 5"),
        ({"policy_kwargs": {"net_arcs": [8]}}, "agent_options do not fit sac: .*net_arcs"),
    ],
)
def test_a_bad_option_is_refused_before_the_fit(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gym, "make_vec", lambda *args, **kwargs: pytest.fail("the fit begins"))
    folder = tmp_path / "run"
    with pytest.raises(SettingsError, match=message):
        train(tiny_settings(agent_options=options), folder, show_progress=False)
    assert not folder.exists()


def test_observations_are_standardized_where_the_policy_has_no_keywords() -> None:
    """JSON's null is SB3's own default."""
    settings = tiny_settings(standardize_obs=True, agent_options={"policy_kwargs": None})
    check_agent(settings, settings.transitions(), clones=False)
