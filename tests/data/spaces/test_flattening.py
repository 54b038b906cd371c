from collections import OrderedDict
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete

from offline_envs.data import FlatObservation, as_float32, load_transitions, with_flat_obs
from offline_envs.envs import learned_spaces
from offline_envs.errors import DatasetError
from tests.nested import CART_SPACE, Cart, cart_rows

FLAT = Box(*np.array([[-np.inf, -np.inf, -5.0], [np.inf, np.inf, 5.0]], np.float32))


def test_observations_are_flat_sorted_by_name() -> None:
    env, plain = with_flat_obs(gym.make("Cart-v0")), gym.make("Cart-v0")
    assert env.observation_space == FLAT
    obs, by_name = env.reset(seed=3)[0], plain.reset(seed=3)[0]
    assert obs.dtype == np.float32
    assert obs.tolist() == pytest.approx([*by_name["place"], *by_name["speed"]])


def test_an_environment_of_one_array_stays_as_it_is() -> None:
    env = gym.make("Pendulum-v1")
    assert with_flat_obs(env) is env


def test_data_are_flattened_with_their_environment() -> None:
    """Both orders of declaration give the same columns."""
    data = load_transitions(cart_rows(), env_id="Cart-v0")
    assert torch.allclose(data.obs[:, 1], data.obs[:, 0] + 10)
    flat = data.flattened
    assert flat.obs is data.obs
    assert flat.flattened is flat
    assert learned_spaces(flat)[0] == flat.make_env().observation_space == FLAT
    assert learned_spaces(data)[0] == as_float32(CART_SPACE)
    assert data.make_env().observation_space == CART_SPACE
    assert load_transitions([flat, flat]).flat_obs
    env = gym.make("LearnedModel-v0", dataset=flat, model=stays, termination="never")
    assert env.reset(seed=0)[0].shape == (3,)


def stays(obs: Any, action: Any) -> Any:
    return obs, action[:, 0]


def test_an_environment_of_other_observations_is_refused() -> None:
    wider = Dict({"place": Box(-1.0, 1.0, (3,))})
    with pytest.raises(DatasetError, match=r"by name and shape {'place': \(3,\)}; it gives {'speed': \(1,\)"):
        FlatObservation(Cart(), wider)
    with pytest.raises(DatasetError, match=r"'Pendulum-v1' must give .* it gives \(3,\)"):
        FlatObservation(gym.make("Pendulum-v1"), wider)
    only_place = Dict(OrderedDict(place=Box(-1.0, 1.0, (2,))))
    assert FlatObservation(Cart(), only_place).reset(seed=0)[0].shape == (2,)


def test_parts_that_are_no_boxes_are_refused() -> None:
    class Odd(Cart):
        observation_space = Dict({"choice": Discrete(3)})

    with pytest.raises(DatasetError, match="'choice' is Discrete"):
        with_flat_obs(Odd())
