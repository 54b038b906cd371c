from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.planning import ILQR, ILQRSettings
from offline_envs.policies import ActsIn, policy_from_spec
from tests.planning.worlds import SPACE, world


def planner(**settings: Any) -> ILQR:
    return ILQR(world(), SPACE, ILQRSettings(**{"horizon": 4, **settings}))


def test_the_planner_goes_back_to_the_middle_of_the_line() -> None:
    """From 0.5, r = −s'² is best for −0.5 at once; from 2.5 for −1, −1, −0.5; a batch as each alone."""
    actions, state = planner().predict(np.array([[0.5], [2.5], [-3.0]]))
    np.testing.assert_allclose(actions[:, 0], [-0.5, -1.0, 1.0], atol=1e-4)
    np.testing.assert_allclose(state[1, 0, :3, 0], [-1.0, -1.0, -0.5], atol=1e-3)
    alone, _ = planner().predict(np.array([0.5]))
    assert alone.item() == pytest.approx(actions[0, 0], abs=1e-4)


def test_a_warm_start_needs_fewer_iterations() -> None:
    """Damped to a crawl, a decision alone stays near the middle; the shifted plan is there already."""
    slow = planner(iterations=1, damping=1e5)
    memory = torch.tensor([0.0, -1.0, -1.0, -0.5])[None, None, :, None]
    assert slow.predict(np.array([2.5]))[0].item() == pytest.approx(0.0, abs=0.01)
    assert slow.predict(np.array([[2.5]]), memory)[0].item() == pytest.approx(-1.0, abs=0.01)


def test_a_worse_plan_than_none_is_forgotten() -> None:
    slow = planner(iterations=1, damping=1e5)
    memory = torch.ones(1, 1, 4, 1)
    assert slow.predict(np.array([[0.0]]), memory)[0].item() == pytest.approx(0.0, abs=0.01)


def not_finite(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    return obs + action * torch.nan, obs[:, 0]


def test_a_model_that_is_not_finite_leaves_the_middle() -> None:
    found, state = ILQR(world(not_finite), SPACE, ILQRSettings(horizon=3)).predict(np.zeros((2, 1)))
    assert found.tolist() == [[0.0], [0.0]]
    assert state.isfinite().all()


def test_it_is_made_from_a_text() -> None:
    made = policy_from_spec("ilqr:horizon=7,iterations=2", ActsIn(SPACE, mdp=world()))
    assert isinstance(made, ILQR)
    assert made.settings == ILQRSettings(horizon=7, iterations=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"iterations": 0}, "iterations must be at least 1"), ({"damping": -1.0}, "damping must be at least 0")],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ILQRSettings(**settings)
