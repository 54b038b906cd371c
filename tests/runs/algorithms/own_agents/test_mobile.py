from pathlib import Path
from typing import Any

import pytest
from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.runs import PRESETS, RunFolder, TrainSettings, check_possible, train
from offline_envs.sb3 import MOBILE
from tests.runs.tiny import DEMO, tiny_settings

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16, "n_successors": 2}


def mobile_settings(**changes: Any) -> TrainSettings:
    """The smallest run, with the algorithm's own defaults."""
    tiny = tiny_settings().to_json()
    kept = ("gradient_steps", "n_envs", "transitions_per_gradient_step", "eval_every", "final_episodes")
    own = {"dataset": DEMO, "algorithm": "mobile", "horizon": 2, "eval_episodes": 1, "agent_options": SMALL}
    return TrainSettings.for_algorithm({**own, **{name: tiny[name] for name in kept}, **changes})


def trained(settings: TrainSettings, folder: Path) -> BaseAlgorithm:
    result = train(settings, folder, show_progress=False)
    assert result.gradient_steps == 6
    return MOBILE.load(RunFolder(folder).policies / "last_policy.zip", device="cpu")


def test_a_run_trains_the_agent_with_the_settings_of_the_release(tiny_model: Path, tmp_path: Path) -> None:
    agent: Any = trained(mobile_settings(model=str(tiny_model)), tmp_path)
    assert (agent.inconsistency_coef, agent.n_successors, agent.entropy_backup) == (1.0, 2, False)
    assert (agent.actor_learning_rate, agent.learning_rate, agent.max_ent_coef) == (1e-4, 3e-4, 1.0)


def test_a_run_of_a_preset_has_its_weight(tiny_model: Path, tmp_path: Path) -> None:
    preset = PRESETS["mobile/hopper-medium"].settings["agent_options"]
    agent: Any = trained(mobile_settings(model=str(tiny_model), agent_options={**preset, **SMALL}), tmp_path)
    assert (agent.inconsistency_coef, agent.inconsistency_of, agent.clamp_target) == (1.5, "values", True)
    assert agent.ent_coef == 0.2


def test_its_agent_trains_in_morecs_model_too(tiny_model: Path, tmp_path: Path) -> None:
    """MOREC-MOBILE (Luo et al. 2024) is MOREC's environment with MOBILE's agent."""
    settings = mobile_settings(algorithm="morec", agent="mobile", model=str(tiny_model))
    agent: Any = trained(settings, tmp_path)
    assert (agent.inconsistency_coef, agent.entropy_backup) == (1.0, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agent": "sac", "agent_options": {}}, "mobile needs the agent mobile, not sac"),
        ({"ensemble": {"n_elites": 1}}, "n_elites must be at least 2, got 1"),
        (
            {"algorithm": "morec", "agent": "mobile", "ensemble": {"n_elites": 1}},
            "mobile compares elites, so n_elites must be at least 2, got 1",
        ),
    ],
)
def test_what_it_cannot_work_with_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        mobile_settings(**changes)


def test_its_agents_own_model_is_read_before_another_is_fitted() -> None:
    nowhere = {**SMALL, "model": "/nowhere"}
    for algorithm in ("mobile", "mbpo"):
        settings = mobile_settings(algorithm=algorithm, agent="mobile", agent_options=nowhere)
        with pytest.raises(CheckpointError, match="/nowhere"):
            check_possible(settings)


def test_without_a_penalty_its_agent_needs_no_second_elite() -> None:
    options = {**SMALL, "inconsistency_coef": 0.0}
    settings = mobile_settings(ensemble={"n_elites": 1}, agent_options=options)
    assert settings.ensemble == {"n_elites": 1}
