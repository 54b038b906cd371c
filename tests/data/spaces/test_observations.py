from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, flatten, flatten_space

from offline_envs.data import load_transitions
from offline_envs.data.spaces.columns import n_columns, to_columns
from offline_envs.data.spaces.observations import (
    as_float32,
    checked_dict,
    flatten_obs,
    nested_obs,
    obs_bounds,
    with_bounds,
)
from offline_envs.errors import DatasetError
from tests.data.worlds import arrays

SPACE = Dict({"speed": Box(-1.0, 2.0, (2,), np.float64), "goal": Box(0.0, 5.0, ()), "arm": Box(-9, 9, (3,))})


def test_columns_are_those_of_gymnasium_s_flatten() -> None:
    """In the order of the names, sorted as `Dict` sorts them."""
    SPACE.seed(0)
    values: list[Any] = [SPACE.sample() for _ in range(5)]
    batch = {name: np.stack([value[name] for value in values]) for name in SPACE.spaces}
    columns = flatten_obs(SPACE, batch, (5,))
    assert columns.tolist() == np.stack([np.asarray(flatten(SPACE, value)) for value in values]).tolist()
    assert n_columns(SPACE) == 6
    low, high = obs_bounds(SPACE)
    flat = flatten_space(SPACE)
    assert isinstance(flat, Box)
    assert (low.tolist(), high.tolist()) == (flat.low.tolist(), flat.high.tolist())
    back = nested_obs(SPACE, torch.from_numpy(columns))
    assert all(np.array_equal(part.numpy(), batch[name]) for name, part in back.items())
    assert torch.equal(to_columns(SPACE, batch), torch.from_numpy(columns).float())


def test_one_observation_by_hand() -> None:
    obs = {"speed": torch.tensor([1.0, 2.0]), "goal": torch.tensor(3.0), "arm": torch.tensor([4.0, 5.0, 6.0])}
    columns = flatten_obs(SPACE, obs, ())
    assert columns.tolist() == [4, 5, 6, 3, 1, 2]
    assert nested_obs(SPACE, columns)["goal"].shape == ()


def test_a_space_in_float32_keeps_its_bounds() -> None:
    found = as_float32(SPACE)
    assert isinstance(found, Dict)
    assert found["speed"] == Box(-1.0, 2.0, (2,), np.float32)
    assert as_float32(Box(-np.inf, np.inf, (2,), np.float64)) == Box(-np.inf, np.inf, (2,), np.float32)
    assert with_bounds(Box(0, 1, (1,)), np.zeros(1), np.full(1, 7.0)) == Box(0, 7, (1,))


@pytest.mark.parametrize(
    "part",
    [Box(0, 255, (4, 4, 3), np.uint8), Box(0, 9, (2,), np.int64), Discrete(3), Dict({"a": Box(0, 1)})],
)
def test_other_parts_are_refused_by_name(part: Any) -> None:
    with pytest.raises(DatasetError, match="Boxes of real numbers with one axis, but 'camera' is"):
        checked_dict("data", Dict({"camera": part, "speed": Box(0, 1, (1,))}))


def test_arrays_by_name_are_a_dict() -> None:
    flat = arrays()
    obs, next_obs = np.asarray(flat["observations"]), np.asarray(flat["next_observations"])
    nested = {
        **flat,
        "observations": {"b": 2 * obs, "a": obs},
        "next_observations": {"a": next_obs, "b": 2 * next_obs},
    }
    data = load_transitions(nested)
    assert data.obs.tolist() == np.concatenate([obs, 2 * obs], axis=1).tolist()
    assert data.next_obs.tolist() == np.concatenate([next_obs, 2 * next_obs], axis=1).tolist()
    part = Box(-np.inf, np.inf, obs.shape[1:])
    assert data.obs_space == Dict({"a": part, "b": part})
    with pytest.raises(DatasetError, match="next_obs must be a mapping of a, b, as obs is"):
        load_transitions({**nested, "next_observations": next_obs})
    with pytest.raises(DatasetError, match="parts of obs must have equally many rows"):
        load_transitions({**nested, "observations": {"a": obs[:-1], "b": obs}})


def test_columns_are_sorted_whatever_the_order_in_which_parts_are_declared() -> None:
    parts: Any = OrderedDict(b=Box(-1, 1, (1,), np.float32), a=Box(-1, 1, (2,), np.float32))
    declared = Dict(parts)
    assert list(declared.spaces) == ["b", "a"]
    batch = {"b": np.full((1, 1), 3.0), "a": np.array([[1.0, 2.0]])}
    assert to_columns(declared, batch).tolist() == [[1.0, 2.0, 3.0]]
