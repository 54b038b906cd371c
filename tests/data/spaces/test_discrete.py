import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from offline_envs.data.spaces.discrete import (
    action_shape,
    are_in,
    check_continuous,
    discrete_space,
    encoded_actions,
    from_one_hot,
    one_hot,
    one_hot_box,
)
from offline_envs.errors import DatasetError, SettingsError


def test_a_choice_is_a_one_in_its_column() -> None:
    assert one_hot(Discrete(3), torch.tensor([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert one_hot(Discrete(3, start=5), torch.tensor(6)).tolist() == [0, 1, 0]
    assert one_hot(Discrete(2), torch.tensor([1])).dtype == torch.float32


def test_several_choices_lie_one_after_another() -> None:
    space = MultiDiscrete([2, 3], start=[0, 10])
    assert one_hot(space, torch.tensor([[1, 10], [0, 12]])).tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]
    assert one_hot_box(space) == Box(0, 1, (5,), np.float32)
    assert action_shape(space) == (2,)


@pytest.mark.parametrize(
    "space", [Discrete(4), Discrete(3, start=-1), MultiDiscrete([2, 4]), MultiDiscrete([5])]
)
def test_decoding_gives_the_actions_back(space: Discrete | MultiDiscrete) -> None:
    space.seed(0)
    actions = torch.as_tensor(np.stack([np.asarray(space.sample()) for _ in range(50)]))
    assert bool(are_in(space, actions).all())
    assert torch.equal(from_one_hot(space, one_hot(space, actions)), actions)
    assert all(np.asarray(action) in space for action in from_one_hot(space, one_hot(space, actions)).numpy())


def test_decoding_takes_the_largest_of_each_choice() -> None:
    columns = torch.tensor([[0.2, 0.3, 0.5, 0.4, 0.9]])
    assert from_one_hot(Discrete(5), columns).tolist() == [4]
    assert from_one_hot(MultiDiscrete([2, 3]), columns).tolist() == [[1, 2]]


def test_choices_that_there_are_not_are_found() -> None:
    assert are_in(Discrete(2), torch.tensor([0, 1, 2, -1])).tolist() == [True, True, False, False]
    assert are_in(MultiDiscrete([2, 3]), torch.tensor([[1, 2], [2, 2]])).tolist() == [True, False]
    with pytest.raises(DatasetError, match=r"2 of 3 actions are not in Discrete\(2\), .* row 1: 7.0"):
        encoded_actions("data", Discrete(2), torch.tensor([1.0, 7.0, 0.5]))
    with pytest.raises(DatasetError, match=r"must have shape \(3,\), received \(3, 2\)"):
        encoded_actions("data", Discrete(2), torch.zeros(3, 2))


def test_recorded_actions_may_be_a_column() -> None:
    assert encoded_actions("data", Discrete(2), torch.tensor([[1.0], [0.0]])).tolist() == [[0, 1], [1, 0]]


def test_spaces_without_a_choice_or_of_more_axes_are_refused() -> None:
    assert discrete_space("data", Box(0, 1)) is None
    for space in (Discrete(1), MultiDiscrete([1, 1]), MultiDiscrete(np.array([[2, 2], [2, 2]]))):
        with pytest.raises(DatasetError, match="must be a Discrete, or a MultiDiscrete with one axis"):
            discrete_space("data", space)


def test_what_needs_continuous_actions_says_so() -> None:
    check_continuous(None, "It")
    with pytest.raises(SettingsError, match=r"It needs continuous actions, a Box; .* are Disc"):
        check_continuous(Discrete(2), "It")
