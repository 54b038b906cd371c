import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from offline_envs.data.validation import check_transitions, float_action_box
from offline_envs.errors import DatasetError
from tests.data.worlds import transitions


def test_good_transitions_pass() -> None:
    check_transitions(transitions(), min_size=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"obs": torch.zeros(4, 1, dtype=torch.float64)},
            "obs must be torch.float32 on the CPU without a gradient, received torch.float64",
        ),
        ({"terminated": torch.zeros(4)}, "terminated must be torch.bool"),
        (
            {"rewards": torch.zeros(4, requires_grad=True)},
            "received torch.float32 on cpu, which requires one",
        ),
        ({"rewards": torch.zeros(3)}, r"shapes disagree.*rewards \(3,\)"),
        ({"next_obs": torch.zeros(4, 2)}, r"shapes disagree.*next_obs \(4, 2\)"),
        ({"episode_starts": torch.tensor([0, 4])}, "1 of 2 break this, the first is episode 1 at row 4"),
        ({"episode_starts": torch.tensor([], dtype=torch.int64)}, "begins with 0"),
        (
            {"rewards": torch.tensor([0.0, 1, torch.inf, torch.nan])},
            "2 of 4 rows.*row 2 .episode 0, step 2. with inf",
        ),
        (
            {"actions": torch.full((4, 1), -1.01)},
            r"4 of 4 actions lie outside Box\(-1.0, 1.0, \(1,\), float32\)",
        ),
        ({"action_space": Box(-1.0, 1.0, (2,))}, "actions have 1 dimensions, but the action space is Box"),
        ({"infos": {"x": torch.zeros(5)}}, r"one row per step \(4\), 'x' has shape \(5,\)"),
    ],
)
def test_each_rule_names_what_breaks_it(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        check_transitions(transitions(**changes))


def test_too_few() -> None:
    with pytest.raises(DatasetError, match="Known by heart holds 4 transitions; at least 5 are needed"):
        check_transitions(transitions(), min_size=5)


def test_actions_may_miss_a_bound_by_float_rounding_only() -> None:
    bounds = Box(-0.4, 0.4, (1,))
    one_off = np.nextafter(np.float32(0.4), np.float32(1))
    good = transitions(actions=torch.full((4, 1), float(one_off)), action_space=bounds)
    check_transitions(good)
    assert good.actions[0, 0] == one_off
    with pytest.raises(DatasetError, match="Nothing is clipped"):
        check_transitions(dataclasses.replace(good, actions=torch.full((4, 1), 0.40001)))


def test_unbounded_actions_are_in_an_unbounded_space() -> None:
    with pytest.warns(UserWarning, match=r"dimensions action\[0\] of.*are unbounded.*Pass action_space="):
        check_transitions(
            transitions(actions=torch.full((4, 1), 1e9), action_space=Box(-np.inf, np.inf, (1,)))
        )


def test_an_action_space_becomes_float32() -> None:
    assert float_action_box("x", Box(-1.0, 1.0, (2,), np.float64)) == Box(-1.0, 1.0, (2,), np.float32)
    with pytest.raises(DatasetError, match=r"x: actions must be real numbers, received .*int32"):
        float_action_box("x", Box(0, 3, (2,), np.int32))


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ([-1.0, 2.0], [1.0, 2.0]),
        ([-1.0, -1e39], [1.0, 1e39]),
        ([-1.0, -3e38], [1.0, 3e38]),
        ([-1.0, 1.0], [1.0, 1.0 + 1e-12]),
    ],
)
def test_bounds_that_nothing_can_be_scaled_to_are_refused(low: list[float], high: list[float]) -> None:
    """Scaled to bounds that are equal, an action is 0 / 0; bounds beyond float32 would become infinite."""
    box = Box(np.array(low), np.array(high), dtype=np.float64)
    message = rf"low must lie below high.*; dimension 1 has low {low[1]} and high {high[1]}"
    with pytest.raises(DatasetError, match=message.replace("+", r"\+")):
        float_action_box("x", box)


def test_whole_actions_outside_their_space_may_be_indices() -> None:
    with pytest.raises(DatasetError, match=r"Indices of discrete actions need their space"):
        check_transitions(transitions(actions=torch.tensor([[0.0], [3.0], [2.0], [1.0]])))
