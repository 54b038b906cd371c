"""COMBO and RAVL as runs; MOBILE has its own file."""

from pathlib import Path
from typing import Any

import pytest

from offline_envs.errors import SettingsError
from offline_envs.runs import PRESETS, RunFolder, TrainSettings, train
from offline_envs.sb3 import COMBO, RAVL
from tests.runs.tiny import DEMO, tiny_settings

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16}


def small_settings(**changes: Any) -> TrainSettings:
    """The smallest run, with the algorithm's own defaults."""
    tiny = tiny_settings().to_json()
    kept = ("gradient_steps", "n_envs", "transitions_per_gradient_step", "eval_every", "final_episodes")
    own = {"dataset": DEMO, "horizon": 2, "eval_episodes": 1, "agent_options": SMALL}
    return TrainSettings.for_algorithm({**own, **{name: tiny[name] for name in kept}, **changes})


def trained(settings: TrainSettings, folder: Path, kind: Any) -> Any:
    result = train(settings, folder, show_progress=False)
    assert result.gradient_steps == 6
    return kind.load(RunFolder(folder).policies / "last_policy.zip", device="cpu")


def test_a_run_of_combo_has_the_settings_of_its_preset(tiny_model: Path, tmp_path: Path) -> None:
    options = {**PRESETS["combo-kit/hopper-medium"].settings["agent_options"], **SMALL}
    settings = small_settings(algorithm="combo", model=str(tiny_model), agent_options=options)
    assert (settings.agent, settings.real_ratio) == ("combo", 0.5)
    agent = trained(settings, tmp_path, COMBO)
    assert (agent.conservative_weight, agent.entropy_backup, agent.actor_schedule) == (2.5, False, "cosine")


def test_a_run_of_ravl_has_ten_critics(tiny_model: Path, tmp_path: Path) -> None:
    settings = small_settings(algorithm="ravl", model=str(tiny_model))
    agent = trained(settings, tmp_path, RAVL)
    assert (agent.diversity, agent.critic.n_critics, agent.policy_kwargs["net_arch"]) == (1.0, 10, [8])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm": "ravl", "agent": "sac"}, "ravl needs the agent ravl, not sac"),
        ({"algorithm": "combo", "agent": "fastsac"}, "combo needs the agent combo, not fastsac"),
        ({"algorithm": "combo", "real_ratio": 0.05}, r"must be at least 1, got 0\.05 and 16"),
        ({"algorithm": "mbpo", "agent": "combo", "real_ratio": 0.0}, r"must be at least 1, got 0\.0 and 16"),
        (
            {"algorithm": "combo", "real_ratio": 1.0, "agent_options": {**SMALL, "rho": "model"}},
            "needs rows of the model in every batch, got real_ratio=1",
        ),
    ],
)
def test_what_they_cannot_work_with_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        small_settings(**changes)


def test_a_subclass_of_the_agent_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from offline_envs.agents import AGENTS, Agent

    monkeypatch.setattr(AGENTS, "_entries", dict(AGENTS))
    AGENTS.register("further", Agent(__name__, "Further"))
    assert small_settings(algorithm="ravl", agent="further").agent == "further"


class Further(RAVL):
    """An agent from a user's package."""
