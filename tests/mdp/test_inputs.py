from typing import Any

import numpy as np
import pytest
import torch

from offline_envs.errors import SettingsError
from offline_envs.mdp import as_actions, check_reset_options

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "actions",
    [[[0.5], [1.0]], np.array([[0.5], [1.0]]), torch.tensor([[0.5], [1.0]], dtype=torch.float64)],
)
def test_actions_may_be_lists_arrays_or_tensors(actions: Any) -> None:
    tensor = as_actions(actions, (2, 1), CPU)
    assert tensor.dtype == torch.float32
    assert tensor.tolist() == [[0.5], [1.0]]


def test_actions_of_a_policy_with_gradients_are_taken_without_them() -> None:
    actions = torch.zeros(2, 1, requires_grad=True) + 1
    assert not as_actions(actions, (2, 1), CPU).requires_grad


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_actions_that_are_not_finite_are_refused(bad: float) -> None:
    """1e300 is more than float32 can hold."""
    message = r"actions must be finite, got NaN or infinity in 1 of 4 numbers, first at \(1, 0\)"
    array = np.array([[0.0, 0.0], [bad, 0.0]])
    for actions in (array, torch.from_numpy(array)):
        with pytest.raises(SettingsError, match=message):
            as_actions(actions, (2, 2), CPU)


@pytest.mark.parametrize("actions", ["left", [["left"], ["right"]], None, [[0.5], [1.0, 2.0]], [[1j], [0.5]]])
def test_what_is_no_number_is_refused(actions: Any) -> None:
    with pytest.raises(SettingsError, match="actions must be an array or tensor of numbers, got"):
        as_actions(actions, (2, 1), CPU)


def test_masked_values_are_refused() -> None:
    """Under a mask there may be anything; a mask that hides nothing does no harm."""
    masked = np.ma.array([[0.5], [-9999.0]], mask=[[False], [True]])
    with pytest.raises(SettingsError, match="actions must have no masked values"):
        as_actions(masked, (2, 1), CPU)
    assert as_actions(np.ma.array([[0.5], [1.0]]), (2, 1), CPU).tolist() == [[0.5], [1.0]]


def test_reset_options_are_known_names() -> None:
    assert check_reset_options(None, ("obs",)) == {}
    assert check_reset_options({"obs": 1}, ("obs",)) == {"obs": 1}
    with pytest.raises(SettingsError, match=r"option of reset 'observation'. Valid: obs, reset_mask\."):
        check_reset_options({"observation": 1}, ("reset_mask", "obs"))
    with pytest.raises(SettingsError, match=r"options must be a dict of obs, got \['obs'\]"):
        check_reset_options(["obs"], ("obs",))  # type: ignore[arg-type]
