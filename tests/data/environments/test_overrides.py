from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiBinary, Text, Tuple

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError, SettingsError
from tests.data.worlds import arrays, transitions
from tests.discrete import cart_pole_arrays
from tests.nested import CART_SPACE, cart_rows


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


def test_an_environment_of_other_parts_is_refused() -> None:
    """Three columns in both: place₀, place₁, speed₀ of the cart would be read from parts in another order."""
    rows = cart_rows(1)
    renamed = {"place": "velocity", "speed": "arm"}
    for names, found in (
        (
            renamed,
            r"\{'arm': 1, 'velocity': 2\} .*columns by name.*, but Cart-v0 has \{'place': 2, 'speed': 1",
        ),
        ({"place": "speed", "speed": "place"}, r"\{'place': 1, 'speed': 2\}.* Or rename the parts"),
    ):
        changed = {
            **rows,
            **{field: {names[n]: v for n, v in rows[field].items()} for field in ("obs", "next_obs")},
        }
        with pytest.raises(DatasetError, match=found):
            load_transitions(changed, env_id="Cart-v0")
    assert load_transitions(rows, env_id="Cart-v0").obs_space == CART_SPACE


def test_an_unknown_environment_is_refused_before_reading() -> None:
    with pytest.raises(DatasetError, match=r"env_id='Pendulun-v1' cannot be made: .*Pendulum"):
        load_transitions("no-such-dataset-v0", env_id="Pendulun-v1")


def test_an_environment_with_discrete_actions_encodes_recorded_choices() -> None:
    recorded = cart_pole_arrays(30)
    data = load_transitions(recorded, env_id="CartPole-v1")
    assert data.discrete_actions == Discrete(2)
    assert data.actions.tolist() == [[1 - a, a] for a in recorded["actions"].tolist()]
    assert torch.equal(load_transitions(recorded, action_space=Discrete(2)).actions, data.actions)
    column = {**recorded, "actions": recorded["actions"][:, None].astype(np.float32)}
    assert torch.equal(load_transitions(column, env_id="CartPole-v1").actions, data.actions)
    assert load_transitions(data, env_id="CartPole-v1").actions is data.actions  # which are encoded already
    assert data.fingerprint != load_transitions(column, action_space=Box(0, 1, (1,))).fingerprint


def test_choices_that_an_environment_does_not_have_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"actions are not in Discrete\(2\)"):
        load_transitions({**cart_pole_arrays(30), "actions": np.full(30, 2)}, env_id="CartPole-v1")
    data = load_transitions(cart_pole_arrays(30), env_id="CartPole-v1")
    for space in (Discrete(3), Box(0, 1, (2,))):
        with pytest.raises(DatasetError, match=r"has actions of Discrete\(2\), but the action space given"):
            load_transitions(data, action_space=space)
    with pytest.raises(SettingsError, match="history=2 needs continuous actions"):
        load_transitions(data, history=2)


@pytest.mark.parametrize("space", [MultiBinary(3), Text(5), Tuple([Discrete(2)])])
def test_other_action_spaces_are_refused_by_name(space: Any) -> None:
    name = type(space).__name__
    with pytest.raises(DatasetError, match=rf"received {name}.* Box, a Discrete or a MultiDiscrete"):
        load_transitions(cart_pole_arrays(30), action_space=space)


def test_transitions_are_returned_as_they_are() -> None:
    data = transitions()
    assert load_transitions(data) is data
