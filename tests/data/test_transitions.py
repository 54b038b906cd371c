import copy
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete, MultiDiscrete

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError
from tests.data.worlds import transitions


def test_episodes_by_hand() -> None:
    data = transitions(5, episode_starts=torch.tensor([0, 3]))
    assert data.episode_lengths.tolist() == [3, 2]
    assert data.episode_returns.tolist() == [0 + 1 + 2, 3 + 4]
    assert data.initial_obs.tolist() == [[0.0], [3.0]]


def test_fingerprint_is_of_the_contents() -> None:
    assert transitions().fingerprint == transitions(source="elsewhere").fingerprint
    assert transitions().fingerprint != transitions(rewards=torch.zeros(4)).fingerprint


def test_deep_copies_share_memory() -> None:
    data = transitions()
    assert copy.deepcopy({"dataset": data})["dataset"] is data


def test_repr_shows_shapes_and_no_numbers() -> None:
    assert "obs=(4, 1)" in repr(transitions())
    assert "tensor(" not in repr(transitions())


def test_no_environment_to_make() -> None:
    with pytest.raises(DatasetError, match=r"does not name its environment. Pass env_id="):
        transitions().make_env()


def test_as_arrays_they_are_the_same_steps() -> None:
    """An episode that terminates has no timeout; without marks the next would be joined to it."""
    for terminated in ([False, True, False, False], [False] * 4):
        made = transitions(terminated=torch.tensor(terminated), episode_starts=torch.tensor([0, 2]))
        arrays = made.to_arrays()
        assert arrays["timeouts"].tolist() == [False, not terminated[1], False, True]
        assert load_transitions(arrays).fingerprint == made.fingerprint
        arrays["observations"][:] = 7
        assert made.obs[0].item() == 0


@pytest.mark.parametrize(
    ("space", "chosen"),
    [
        (Discrete(3, start=5), [7, 5, 6, 7]),
        (MultiDiscrete([2, 3]), [[1, 2], [0, 0], [0, 1], [1, 1]]),
    ],
)
def test_arrays_hold_the_discrete_actions_that_were_chosen(space: Any, chosen: list[Any]) -> None:
    """One-hot numbers would be taken for as many continuous actions, or refused by the space."""
    given = {**transitions().to_arrays(), "actions": np.array(chosen)}
    made = load_transitions(given, action_space=space)
    arrays = made.to_arrays()
    assert arrays["actions"].tolist() == chosen
    again = load_transitions(arrays, action_space=made.discrete_actions)
    assert again.fingerprint == made.fingerprint
    assert again.discrete_actions == space
