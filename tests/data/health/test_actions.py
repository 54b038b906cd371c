"""Action spaces that do not fit the actions in them."""

import warnings

import numpy as np
import pytest
from gymnasium.spaces import Box

from offline_envs.data import load_transitions
from offline_envs.data.health.actions import look_like_indices, unscalable_dimensions
from tests.data.worlds import arrays

SWITCH = np.array([[0], [1], [1], [0], [1]])


def test_a_dimension_is_too_wide_where_float32_cannot_tell_its_actions_apart() -> None:
    """Of [−1e30, 1e30] scaled to [−1, 1], actions below 1e23 all are 0; of [−1e6, 1e6] 1 is not."""
    actions = np.array([[1.0, 1.0, 1.0, 0.0]], np.float32)
    bounds = np.array([1e30, np.inf, 1e6, 1.0], np.float32)
    space = Box(-bounds, bounds)
    assert unscalable_dimensions(actions, space) == [0, 1]
    scaled = (actions[0, ::2] + bounds[::2]) / (2 * bounds[::2])
    assert (scaled[0], scaled[1] > 0.5) == (0.5, True)


def test_zeros_and_ones_may_be_indices_unless_the_space_says_otherwise() -> None:
    switch = SWITCH.astype(np.float32)
    assert look_like_indices(switch, Box(-1.0, 1.0, (1,)))
    assert not look_like_indices(switch, Box(0.0, 1.0, (1,)))
    assert not look_like_indices(2 * switch - 1, Box(-1.0, 1.0, (1,)))
    assert not look_like_indices(0 * switch, Box(-1.0, 1.0, (1,)))


def test_loading_warns_of_indices_and_the_remedy_silences_it() -> None:
    """An agent trained in [−1, 1] would give a real environment actions that it does not know."""
    with pytest.warns(UserWarning, match=r"every action is 0 or 1.*discrete.*action_space=Box\(0, 1"):
        load_transitions(arrays(actions=SWITCH))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_transitions(arrays(actions=SWITCH), action_space=Box(0.0, 1.0, (1,)))
    assert data.actions[:, 0].tolist() == [0, 1, 1, 0, 1]
