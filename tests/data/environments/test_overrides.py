import pytest
import torch
from gymnasium.spaces import Box

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError
from tests.data.worlds import arrays, transitions


def pendulum_arrays() -> dict[str, torch.Tensor]:
    zeros = torch.zeros(5, 3)
    return arrays(observations=zeros, next_observations=zeros, actions=torch.full((5, 1), 1.9))


def test_env_id_gives_specification_and_action_space() -> None:
    data = load_transitions(pendulum_arrays(), env_id="Pendulum-v1")
    assert data.env_id == "Pendulum-v1"
    assert data.action_space == Box(-2.0, 2.0, (1,))


def test_env_id_replaces_that_of_the_data() -> None:
    data = load_transitions(load_transitions(pendulum_arrays(), env_id="Pendulum-v1"), env_id="Pendulum-v1")
    assert data.env_id == "Pendulum-v1"


def test_action_space_overrides_that_of_the_environment() -> None:
    space = Box(-3.0, 3.0, (1,))
    assert load_transitions(pendulum_arrays(), env_id="Pendulum-v1", action_space=space).action_space == space
    assert load_transitions(pendulum_arrays(), action_space=space).env_spec is None


def test_without_either_actions_are_within_one() -> None:
    with pytest.raises(DatasetError, match=r"5 of 5 actions lie outside Box\(-1.0.*env_id= or action_space="):
        load_transitions(pendulum_arrays())


def test_an_environment_of_other_dimensions_is_refused() -> None:
    with pytest.raises(DatasetError, match="Arrays has 1 observation dimensions, but Pendulum-v1 has 3"):
        load_transitions(arrays(), env_id="Pendulum-v1")


def test_an_unknown_environment_is_refused_before_reading() -> None:
    with pytest.raises(DatasetError, match=r"env_id='Pendulun-v1' cannot be made: .*Pendulum"):
        load_transitions("no-such-dataset-v0", env_id="Pendulun-v1")


def test_an_environment_with_discrete_actions_is_refused() -> None:
    message = r"'CartPole-v1': the action space must be a Box.*Discrete\(2\). Only continuous actions can be"
    with pytest.raises(DatasetError, match=message):
        load_transitions(arrays(), env_id="CartPole-v1")


def test_transitions_are_returned_as_they_are() -> None:
    data = transitions()
    assert load_transitions(data) is data
