"""Runs on data of Dict observations: agents see them as one array, in the model and outside."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from stable_baselines3 import SAC

from offline_envs.compare import CompareSettings, compare_runs
from offline_envs.data import load_transitions
from offline_envs.evaluation import evaluate_in
from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.runs.algorithms import model_based
from offline_envs.sb3 import SB3VecEnv
from tests.cli.runner import fail, succeed
from tests.nested import write_cart
from tests.runs.test_task import spied
from tests.runs.test_training import interrupted
from tests.runs.tiny import ENSEMBLE, FIT, tiny_settings

pytestmark = pytest.mark.filterwarnings("ignore:On the holdout:UserWarning")  # one epoch is not enough


@pytest.fixture
def settings() -> TrainSettings:
    return tiny_settings(dataset=write_cart("cart-v0"), ensemble=ENSEMBLE, fit=FIT, termination="never")


def by_hand(folder: Path, seed: int, n: int) -> list[float]:
    """Returns of a run's policy in a plain loop that flattens by hand."""
    policy = SAC.load(folder / "policies" / "last_policy.zip", device="cpu")
    env, returns = gym.make("Cart-v0"), []
    for episode in range(n):
        obs, _ = env.reset(seed=seed + episode)
        total, ended = 0.0, False
        while not ended:
            columns = np.array([*obs["place"], *obs["speed"]], np.float32)
            obs, reward, terminated, truncated, _ = env.step(policy.predict(columns, deterministic=True)[0])
            total, ended = total + float(reward), terminated or truncated
        returns.append(total)
    return returns


def test_a_run_is_scored_in_the_real_environment(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = spied(monkeypatch, model_based, "_agent")
    result = train(settings, tmp_path / "run", show_progress=False)
    assert agents[0].observation_space == Box(*np.array([[-np.inf] * 2 + [-5], [np.inf] * 2 + [5]], "f4"))
    data, buffer = load_transitions("cart-v0"), agents[0].replay_buffer
    assert torch.equal(buffer._storage()[: buffer.real_size, :3], data.obs)
    assert result.real_return == pytest.approx(np.mean(by_hand(tmp_path / "run", 2000, 2)))
    policy = tmp_path / "run" / "policies" / "last_policy.zip"
    for source in (("--dataset", "cart-v0"), ("--env-id", "Cart-v0")):
        shown = succeed("evaluate", policy, *source, "--episodes", 2, "--seed", 2000)
        assert f"{result.real_return:.1f} ± {result.real_std:.1f}" in shown


def test_an_interrupted_run_resumes(settings: TrainSettings, tmp_path: Path) -> None:
    whole = train(settings, tmp_path / "whole", show_progress=False)
    with interrupted(SB3VecEnv, "step_wait", at_call=5):
        train(settings, tmp_path / "run", show_progress=False)
    again = train(settings, tmp_path / "run", resume=True, show_progress=False)
    assert (again.real_return, again.predicted_return) == (whole.real_return, whole.predicted_return)


def test_cloning_and_a_comparison_see_the_same(tmp_path: Path) -> None:
    options: dict[str, Any] = {"dataset": write_cart("cart-v0"), "algorithm": "bc", "gradient_steps": 4}
    options |= {"eval_every": 4, "eval_episodes": 1, "final_episodes": 2}
    settings = TrainSettings.for_algorithm(options)
    runs = [tmp_path / "seed-0", tmp_path / "seed-1"]
    results = [train(replace(settings, seed=i), run, show_progress=False) for i, run in enumerate(runs)]
    assert results[0].real_return == pytest.approx(np.mean(by_hand(runs[0], 2000, 2)))
    compared = CompareSettings(fitted_q={"gradient_steps": 2})
    found = compare_runs(runs, tmp_path / "compared", compared, estimators=["fqe"])
    assert len(found.estimates) == 2


def test_a_history_of_dicts_is_one_of_columns(tmp_path: Path) -> None:
    settings = tiny_settings(
        dataset=write_cart("cart-v0"), ensemble=ENSEMBLE, fit=FIT, history=2, termination="never"
    )
    result = train(settings, tmp_path / "run", show_progress=False)
    policy = tmp_path / "run" / "policies" / "last_policy.zip"
    assert SAC.load(policy).observation_space.shape == (3 + 1 + 3,)
    shown = succeed("evaluate", policy, "--env-id", "Cart-v0", "--episodes", 2, "--seed", 2000)
    assert f"{result.real_return:.1f} ±" in shown
    assert RunFolder(tmp_path / "run").settings().history == 2


def test_policies_of_dicts_are_scored_and_diagnosed_too(tmp_path: Path) -> None:
    """An agent that a user trained with a `MultiInputPolicy` is given its observations by name."""
    dataset, env = write_cart("cart-v0"), gym.make("Cart-v0")
    agent = SAC("MultiInputPolicy", env, policy_kwargs={"net_arch": [8]}, buffer_size=10, seed=0)
    agent.save(tmp_path / "nested.zip")
    expected = evaluate_in(env, agent, n_episodes=2, seed=3)
    for source in (("--dataset", dataset), ("--env-id", "Cart-v0")):
        shown = succeed("evaluate", tmp_path / "nested.zip", *source, "--episodes", 2, "--seed", 3)
        assert f"{expected.mean:.1f} ± {expected.std:.1f}" in shown
    assert "20 episodes of Cart-v0" in succeed("evaluate", "uniform", "--dataset", dataset)
    small: tuple[Any, ...] = ("--ensemble", json.dumps(ENSEMBLE), "--fit", json.dumps(FIT))
    small += ("--termination", "never", "--horizon", 6, "--train-horizon", 3)
    sizes = json.dumps({"rows": 50, "rollouts": 5, "starts": 5, "episodes": 2, "seed": 3})
    given = ("--policy", tmp_path / "nested.zip", "--output", tmp_path / "report", "--options", sizes)
    assert "horizon" in succeed("diagnose", dataset, *small, *given)
    with (tmp_path / "report" / "reliability.csv").open(newline="") as file:
        assert {row["source"] for row in csv.DictReader(file)} == {"held-out steps", "real policy steps"}
    with (tmp_path / "report" / "intervals.csv").open(newline="") as file:
        found = [row["dimension"] for row in csv.DictReader(file) if row["source"] == "held-out steps"]
    assert found == ["reward", "place[0]", "place[1]", "speed", "all"]
    assert "3 dimensions: place[0], place[1], speed" in succeed("info", dataset)


def test_a_policy_of_other_observations_is_refused(tmp_path: Path) -> None:
    agent = SAC("MlpPolicy", gym.make("InvertedDoublePendulum-v5"), buffer_size=10)
    agent.save(tmp_path / "large.zip")
    message = fail("evaluate", tmp_path / "large.zip", "--dataset", write_cart("cart-v0"))
    assert "shape (9,), but the environment (3,)" in message
