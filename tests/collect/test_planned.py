"""Collections by a planner, interrupted and resumed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.collect import CollectSettings, Kind, PlanningModel, collect_dataset
from offline_envs.dynamics import FunctionModel
from offline_envs.errors import SettingsError
from offline_envs.mdp import Guard, LearnedMDP, Members
from offline_envs.tasks import never
from tests.collect.test_resume import Interruption, assert_same, collect, interrupt


def test_a_planner_resumes_with_the_same_plans(tmp_path: Path) -> None:
    """A planner has a generator of its own, which no checkpoint holds."""
    learned = PlanningModel(pendulum_mdp(), {"model": "pendulum"})
    text = "cem:horizon=3,candidates=8,elites=2,iterations=1,particles=2"
    settings: dict[str, Any] = {"kind": Kind.EXPERT, "policy": text, "learned": learned}
    interruption = interrupt(tmp_path / "interrupted", at=150, **settings)
    assert interruption.steps == 150
    resumed = Interruption(None)
    ours = collect(tmp_path / "interrupted", resumed, **settings)
    assert resumed.done_before > 30
    assert_same(ours, collect(tmp_path / "whole", **settings))


def test_a_planner_that_builds_on_another_policy_is_refused_before_a_model_is_fitted() -> None:
    with pytest.raises(
        SettingsError, match=r"policy must be .* no other policy.* got 'cem:prior=policy\.zip'"
    ):
        CollectSettings(kind=Kind.EXPERT, steps=10, policy="cem:prior=policy.zip")


def test_a_planner_without_a_model_or_with_another_is_refused(tmp_path: Path) -> None:
    text = "cem:horizon=2,candidates=8,elites=2,iterations=1,particles=2"
    settings: dict[str, Any] = {"kind": Kind.EXPERT, "policy": text}
    with pytest.raises(SettingsError, match="plans in a learned model"):
        collect(tmp_path, **settings)
    interrupt(tmp_path, at=100, learned=PlanningModel(pendulum_mdp(), {"model": "one"}), **settings)
    with pytest.raises(SettingsError, match="policy differ"):
        collect(tmp_path, learned=PlanningModel(pendulum_mdp(), {"model": "other"}), **settings)


def test_a_model_of_other_dimensions_is_refused_before_any_work(tmp_path: Path) -> None:
    settings = CollectSettings(kind=Kind.EXPERT, steps=10, policy="cem")
    learned = PlanningModel(pendulum_mdp(), {})
    with pytest.raises(SettingsError, match=r"of Pendulum-v1, which have 3 and 1 .* data have 4 and 1"):
        collect_dataset("Pendulum-v1", "my/b-v0", settings=settings, output_root=tmp_path, learned=learned)
    assert list(tmp_path.iterdir()) == []


def pendulum_mdp() -> LearnedMDP:
    """A model of the environment's dimensions in which nothing moves."""

    def still(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        return obs, -(action[:, 0] ** 2)

    guard = Guard(torch.full((5,), -1e6), torch.full((5,), 1e6), torch.tensor(0.0))
    return LearnedMDP(Members.of(FunctionModel(still, 4, 1), "all"), never, guard)
