import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC

from offline_envs.agents import AGENTS
from offline_envs.data import load_transitions
from offline_envs.sb3 import evaluate_in
from tests.cli.runner import fail, succeed
from tests.runs.tiny import DEMO


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained policy for the environment of the dataset in the package."""
    path = tmp_path_factory.mktemp("policy") / "policy.zip"
    env = load_transitions(DEMO).make_env()
    SAC("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, buffer_size=1, device="cpu", seed=0).save(path)
    env.close()
    return path


def test_the_figures_are_those_of_evaluate_in(policy: Path) -> None:
    env = load_transitions(DEMO).make_env()
    expected = evaluate_in(env, SAC.load(policy, device="cpu"), n_episodes=3, seed=5)
    env.close()
    figures = f"{expected.mean:.1f} ± {expected.std:.1f}"
    for where in (["--dataset", DEMO], ["--env-id", "InvertedDoublePendulum-v5"]):
        output = succeed("evaluate", policy, *where, "--episodes", 3, "--seed", 5)
        assert figures in output
        assert "normalised score" in output
        assert ("dataset: mean, best" in output) == ("--dataset" in where)


def test_what_cannot_be_evaluated_is_refused(policy: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("text")
    assert "Give the real environment" in fail("evaluate", policy)
    assert "There is no file" in fail("evaluate", tmp_path / "none.zip", "--dataset", DEMO)
    assert "cannot be loaded as a policy of sac" in fail("evaluate", tmp_path / "text.zip", "--dataset", DEMO)
    assert "Unknown agent 'sarsa'" in fail("evaluate", policy, "--dataset", DEMO, "--agent", "sarsa")
    assert "cannot be loaded as a policy of td3" in fail(
        "evaluate", policy, "--dataset", DEMO, "--agent", "td3"
    )
    assert "'Nosuch-v0' cannot be made" in fail("evaluate", policy, "--env-id", "Nosuch-v0")
    assert "observation space of shape (9,), but the environment (11,)" in fail(
        "evaluate", policy, "--env-id", "Hopper-v5"
    )


def test_a_policy_of_an_agent_that_no_run_trains_is_scored(tmp_path: Path) -> None:
    path = tmp_path / "ppo.zip"
    PPO("MlpPolicy", "InvertedDoublePendulum-v5", policy_kwargs={"net_arch": [8]}, device="cpu").save(path)
    call = ("evaluate", path, "--env-id", "InvertedDoublePendulum-v5", "--episodes", 1)
    assert "1 episodes of" in succeed(*call, "--agent", "ppo")
    named = fail(*call).partition("name it as the agent: ")[2].strip().rstrip(".").split(", ")
    assert named == sorted(named)
    assert {"a2c", "ppo", *AGENTS} == {*named}


def test_a_torchscript_policy_is_scored(tmp_path: Path) -> None:
    """A policy that pushes to the right: the cart's speed is not enough to keep the pendulum up."""
    path = tmp_path / "policy.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of writing such files
        torch.jit.trace(lambda obs: obs[:, :1] * 0 + 0.5, torch.zeros(1, 9)).save(str(path))
    env = load_transitions(DEMO).make_env()
    expected = evaluate_in(env, lambda obs: np.array([0.5], np.float32), n_episodes=2)
    env.close()
    output = succeed("evaluate", path, "--dataset", DEMO, "--episodes", 2)
    assert f"{expected.mean:.1f} ± {expected.std:.1f}" in output
    message = fail("evaluate", path, "--env-id", "Hopper-v5")
    assert "must give actions of shape (2, 3) for two observations, got (2, 1)" in message


def test_uniform_actions_are_scored() -> None:
    """Falling at random lasts a few steps; the same seed gives the same score."""
    call = ("evaluate", "uniform", "--env-id", "InvertedDoublePendulum-v5", "--episodes", 3)
    first, second = succeed(*call), succeed(*call)
    assert "3 episodes of" in first
    assert first == second
    assert first != succeed(*call, "--seed", 7)


def test_settings_of_a_model_that_nothing_plans_in_are_refused(policy: Path) -> None:
    for name, where in (("uniform", ("--env-id", "CartPole-v1")), (policy, ("--dataset", DEMO))):
        message = fail("evaluate", name, *where, "--learned-kwargs", '{"a": 1}')
        assert f"--learned-kwargs is for planners, e.g. cem:horizon=15; received the policy {name}" in message


def test_a_policy_that_is_neither_a_file_nor_known_is_refused() -> None:
    message = fail("evaluate", "unifrom", "--env-id", "InvertedDoublePendulum-v5")
    assert "There is no file unifrom, and no policy of that name. Give a .zip of Stable-" in message
    assert "uniform" in message


SMALL_PLAN = "horizon=2,candidates=8,elites=2,iterations=1,particles=2"
SMALL_FIT = '{"fit": {"max_epochs": 1}, "ensemble": {"hidden": [8]}, "progress": false}'


def test_a_planner_is_scored() -> None:
    """It plans in a model of the dataset, with the method of the learned environment."""
    call = ("evaluate", f"cem:{SMALL_PLAN}", "--dataset", DEMO, "--episodes", 1)
    where = ("--learned-env", "PenalizedModel-v0", "--learned-kwargs", SMALL_FIT)
    first = succeed(*call, *where)
    assert "1 episodes of" in first
    assert first == succeed(*call, *where)


def test_a_planner_that_cannot_plan_is_refused_before_a_fit(policy: Path) -> None:
    assert "plans in a learned model, and none is given" in fail("evaluate", "cem", "--env-id", "Hopper-v5")
    assert "Unknown setting of CEMSettings" in fail("evaluate", "cem:horizont=3", "--dataset", DEMO)
    assert "give prior=" in fail(
        "evaluate",
        "mbop",
        "--dataset",
        DEMO,
        "--learned-kwargs",
        SMALL_FIT,
    )
    assert "Unknown learned environment 'Hopper-v5'" in fail(
        "evaluate", "cem", "--dataset", DEMO, "--learned-env", "Hopper-v5"
    )


def test_a_prior_that_cannot_be_used_is_refused_before_a_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a mistyped file costs the time of the fit."""

    def fitted(*arguments: object) -> None:
        pytest.fail("A model was fitted.")

    monkeypatch.setattr(import_module("offline_envs.cli.evaluate"), "learned_mdp", fitted)
    missing = tmp_path / "none.zip"
    for prior, message in ((missing, f"There is no file {missing}"), ("cem", "none is given")):
        assert message in fail("evaluate", f"mppi:prior={prior}", "--dataset", DEMO)


def test_a_planner_takes_the_proposals_of_a_saved_policy(policy: Path) -> None:
    text = f"mppi:horizon=2,candidates=8,iterations=1,particles=2,prior={policy},prior_share=0.5"
    output = succeed("evaluate", text, "--dataset", DEMO, "--episodes", 1, "--learned-kwargs", SMALL_FIT)
    assert "1 episodes of" in output
