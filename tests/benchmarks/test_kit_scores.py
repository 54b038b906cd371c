"""`benchmarks/kit_scores.py`: OfflineRL-Kit's runs, as folders that can be archived beside ours."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import gymnasium as gym
import numpy as np
import pytest
import torch
import typer

from offline_envs.data import load_transitions
from offline_envs.runs import PRESETS
from tests.benchmarks.test_benchmarks import script
from tests.benchmarks.test_whole_run import few_rows
from tests.runs.tiny import DEMO

CHECKOUT = os.environ.get("OFFLINERL_KIT")
needs_checkout = pytest.mark.skipif(
    CHECKOUT is None, reason="needs a checkout of OfflineRL-Kit, named by the variable OFFLINERL_KIT"
)


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return script("kit_scores", monkeypatch)


def tiny(benchmark: ModuleType, **changes: Any) -> Any:
    """Ten gradient steps on the dataset that comes with the package, scored after four, eight and ten."""
    options: dict[str, Any] = {
        "dataset": DEMO,
        "method": "mopo",
        "gradient_steps": 10,
        "seed": 3,
        "horizon": 2,
        "penalty_coef": 1.0,
        "max_epochs": 1,
        "alpha": None,
        "eval_every": 4,
        "eval_episodes": 2,
        "rollout_starts": 20,
        "batch_size": 40,
    }
    return benchmark.KitSettings(**{**options, **changes})


class SeededEnv(gym.Env[Any, Any]):
    """Each episode is one step, rewarded by its seed plus the action."""

    observation_space = gym.spaces.Box(-1, 1, (1,))
    action_space = gym.spaces.Box(-1, 1, (1,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        assert seed is not None
        self.seed = seed
        return np.zeros(1), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros(1), self.seed + float(action[0]), True, False, {}


class CountingLoop:
    """Acts with the number of gradient steps."""

    transitions = 0

    def steps(self, total: int, n_starts: int) -> Iterator[int]:
        for step in range(1, total + 1):
            self.transitions = n_starts * step
            yield step

    def act(self, obs: Any) -> Any:
        assert obs.dtype == np.float32
        return np.array([self.transitions / 20])


def test_runs_can_be_archived_beside_ours(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evaluations use seeds from 1000, the final score those from 2000, as our runs do."""
    run, archive = tmp_path / "run", tmp_path / "runs.zip"
    settings, data = tiny(benchmark), load_transitions(DEMO)
    benchmark.claim(run, settings)
    benchmark.trained(settings, data, CountingLoop(), SeededEnv(), run)
    script("scores", monkeypatch).add(archive, "toy/MOPO, OfflineRL-Kit/seed-3", run)
    [read] = script("run_archive", monkeypatch).read_runs(archive)
    assert (read.steps, read.lengths) == ((4, 8, 10), (1.0, 1.0, 1.0))
    assert read.returns == (1000.5 + 4, 1000.5 + 8, 1000.5 + 10)
    assert read.result["real_return"] == 2000 + 19 / 2 + 10
    assert (read.result["n_episodes"], read.result["seed"]) == (20, 3)
    assert read.result["dataset_best"] == data.episode_returns.max()
    assert "MOPO, OfflineRL-Kit" in script("scores", monkeypatch).dataset_table([read])


@pytest.mark.parametrize("body", ["Hopper", "HalfCheetah", "Walker2d"])
def test_suggested_settings_are_those_of_the_presets(benchmark: ModuleType, body: str) -> None:
    mopo = PRESETS[f"mopo-kit/{body.lower()}-medium-replay"].settings
    assert benchmark.suggested("mopo", f"{body}-v5") == (mopo["horizon"], mopo["penalty_coef"])
    mobile = PRESETS[f"mobile/{body.lower()}-medium-replay"].settings
    coef = mobile["agent_options"]["inconsistency_coef"]
    assert benchmark.suggested("mobile", f"{body}-v5") == (mobile["horizon"], coef)


def test_other_methods_and_bodies_are_refused(benchmark: ModuleType) -> None:
    with pytest.raises(typer.BadParameter, match="mopo, mobile, got 'combo'"):
        benchmark.suggested("combo", "Hopper-v5")
    with pytest.raises(typer.BadParameter, match=r"Hopper, HalfCheetah, Walker2d.*Ant-v5"):
        benchmark.suggested("mopo", "Ant-v5")


def test_a_folder_is_of_one_run(benchmark: ModuleType, tmp_path: Path) -> None:
    benchmark.claim(tmp_path, tiny(benchmark))
    benchmark.claim(tmp_path, tiny(benchmark))
    with pytest.raises(typer.BadParameter, match="other gradient_steps, seed"):
        benchmark.claim(tmp_path, tiny(benchmark, gradient_steps=5, seed=0))
    (tmp_path / "result.json").touch()
    with pytest.raises(typer.BadParameter, match="complete run"):
        benchmark.claim(tmp_path, tiny(benchmark))


def test_rollouts_and_the_rate_go_by_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """1001 steps are two epochs: two rollouts, and after the first half of the rate is left."""
    rate = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rollout = ({"obss": np.zeros((6, 1))}, {"num_transitions": 6})
    policy = MagicMock(
        actor_optim=rate,
        rollout=MagicMock(return_value=rollout),
        learn=MagicMock(side_effect=lambda batch: rate.step()),
    )
    loop = script("kit_loop", monkeypatch).KitLoop(
        policy, real := MagicMock(), fake := MagicMock(), horizon=2, batch=30, real_ratio=0.05
    )
    assert list(loop.steps(1001, 4)) == list(range(1, 1002))
    assert loop.transitions == 12
    assert [call.args for call in real.sample.call_args_list[:2]] == [(4,), (1,)]
    assert {call.args for call in fake.sample.call_args_list} == {(29,)}
    assert policy.learn.call_count == 1001
    assert rate.param_groups[0]["lr"] == pytest.approx(0.5)


@needs_checkout
@pytest.mark.parametrize("method", ["mopo", "mobile"])
def test_a_run_from_a_kept_fit_ends_like_one_without_interruption(
    method: str, benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers = script("peers", monkeypatch)
    for name in peers.ABSENT:
        monkeypatch.setitem(sys.modules, name, MagicMock())
    monkeypatch.setitem(peers.KIT_ENDS, "InvertedDoublePendulum", "termination_fn_halfcheetah")
    settings, data = tiny(benchmark, method=method), few_rows(DEMO)
    start = settings.rollout_starts

    def final_actions(kept: Path) -> Any:
        dynamics = benchmark.fitted(Path(CHECKOUT or ""), data, settings, kept, "cpu")
        loop = benchmark.new_loop(Path(CHECKOUT or ""), data, settings, dynamics, "cpu")
        assert list(loop.steps(settings.gradient_steps, start))[-1] == settings.gradient_steps
        assert 0 < loop.transitions <= start * settings.horizon
        return loop.act(data.obs[0].numpy())

    first = final_actions(tmp_path / "a")
    model = (tmp_path / "a" / "dynamics.pth").read_bytes()
    again = final_actions(tmp_path / "a")
    assert (tmp_path / "a" / "dynamics.pth").read_bytes() == model
    np.testing.assert_array_equal(first, again)
    settings = replace(settings, seed=settings.seed + 1)
    assert not np.array_equal(first, final_actions(tmp_path / "b"))
