"""Runs on data of discrete actions: CartPole from uniform actions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_envs.errors import SettingsError
from offline_envs.runs import TrainSettings, algorithm, train
from offline_envs.runs.agent import _SpacesOnly, new_agent
from offline_envs.sb3 import SB3VecEnv
from tests.cli.runner import succeed
from tests.discrete import cart_pole_arrays
from tests.runs.tiny import tiny_settings


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    np.savez(tmp_path / "cart_pole.npz", **cart_pole_arrays(300))  # type: ignore[arg-type]
    return str(tmp_path / "cart_pole.npz")


def settings(dataset: str, **changes: Any) -> TrainSettings:
    options: dict[str, Any] = {"ensemble": {"hidden": [16]}, "fit": {"max_epochs": 3}, "agent": "dqn"}
    uses = algorithm(changes.get("algorithm", TrainSettings.algorithm)).uses
    used = {name: value for name, value in options.items() if name in uses}
    return tiny_settings(**{"dataset": dataset, "env_id": "CartPole-v1", **used, **changes})


@pytest.mark.parametrize("agent", ["dqn", "qrdqn"])
def test_a_run_learns_choices_and_is_scored_in_the_real_environment(
    agent: str, dataset: str, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {} if agent == "dqn" else {"rollout_actions": "uniform", "choose": "model"}
    found = train(settings(dataset, agent=agent, **changes), tmp_path / "run", show_progress=False)
    assert found.gradient_steps == 6
    assert 5 < found.real_return <= 500  # one a step, at least a few


@pytest.mark.parametrize("agent", ["dqn", "qrdqn"])
def test_the_target_follows_after_as_many_gradient_steps_as_in_sb3(agent: str, dataset: str) -> None:
    """10 000 transitions at 4 a gradient step are 2500 steps, at 8 a step of a run 20 000 transitions."""
    run = settings(dataset, agent=agent, transitions_per_gradient_step=8.0)
    data = run.transitions()
    env = SB3VecEnv(_SpacesOnly(run.n_envs, data))
    made: Any = new_agent(run, env, data)
    assert made.target_update_interval == 20_000
    made = new_agent(replace(run, agent_options={"target_update_interval": 400}), env, data)
    assert made.target_update_interval == 400


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"agent": "sac"},
            r"not for the actions of .*, Discrete\(2\)\. Valid agents: dqn, qrdqn, trpo",
        ),
        (
            {"agent": "dqn", "clone_epochs": 3},
            "needs a policy that gives them probabilities.*DQNPolicy",
        ),
        ({"agent": "sac", "algorithm": "bc"}, r"Discrete\(2\)\. Valid agents of bc for them: trpo \(--agent"),
        ({"agent": "sac", "algorithm": "cql"}, "cql needs continuous actions"),
        ({"agent": "sac", "algorithm": "rambo"}, "rambo needs continuous actions"),
        ({"agent": "combo", "algorithm": "combo", "real_ratio": 0.5}, "combo needs continuous actions"),
        (
            {"clone_from": "cem", "clone_epochs": 1, "agent": "trpo", "transitions_per_gradient_step": 8.0},
            "a planner needs continuous actions",
        ),
        ({"termination": "auto", "env_id": "tests.discrete:Odd-v0"}, "No termination rule is known"),
    ],
)
def test_what_these_data_do_not_allow_is_refused_before_the_folder(
    changes: dict[str, Any], message: str, dataset: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        train(settings(dataset, **changes), tmp_path / "run", show_progress=False)
    assert not (tmp_path / "run").exists()


def test_a_clone_of_choices_is_scored(dataset: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "dataset": dataset,
        "env_id": "CartPole-v1",
        "algorithm": "bc",
        "agent": "trpo",
    }
    options |= {"gradient_steps": 4, "eval_every": 4, "eval_episodes": 1, "final_episodes": 2}
    result = train(TrainSettings.for_algorithm(options), tmp_path / "run", show_progress=False)
    assert 5 < result.real_return <= 500
    shown = succeed(
        "evaluate",
        tmp_path / "run" / "policies" / "last_policy.zip",
        "--agent",
        "trpo",
        "--env-id",
        "CartPole-v1",
        "--episodes",
        2,
        "--seed",
        2000,
    )
    assert f"{result.real_return:.1f} ±" in shown


def test_a_run_begins_with_a_clone_of_choices(dataset: str, tmp_path: Path) -> None:
    changes = {"agent": "trpo", "clone_epochs": 2, "transitions_per_gradient_step": 16.0}
    found = train(settings(dataset, **changes), tmp_path / "run", show_progress=False)
    assert 5 < found.real_return <= 500


def test_agents_of_choices_are_refused_where_actions_are_continuous(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"dqn is not for the actions of .*, Box.* Valid agents: sac, "):
        train(tiny_settings(agent="dqn"), tmp_path / "run", show_progress=False)
    with pytest.raises(SettingsError, match="continuous actions"):
        tiny_settings(agent="dqn", algorithm="rambo")
    with pytest.raises(SettingsError, match=r"dqn chooses the largest .* discrete actions: trpo"):
        tiny_settings(agent="dqn", algorithm="bc")
    with pytest.raises(SettingsError, match="choose='critics' needs"):
        tiny_settings(agent="dqn", choose="critics")
