from typing import Any

import numpy as np
from gymnasium.spaces import Dict

from offline_envs.policies import on_columns
from tests.nested import CART_SPACE


class Pushes:
    """Acts against the speed, and counts its steps."""

    observation_space = CART_SPACE

    def predict(self, obs: Any, state: Any = None, *, deterministic: bool = True) -> tuple[Any, Any]:
        assert deterministic
        return -obs["speed"] + 0 * obs["place"][..., :1], (state or 0) + 1


def test_columns_are_given_by_name() -> None:
    policy = on_columns(Pushes())
    assert policy.predict(np.array([1.0, 11.0, 0.5]), deterministic=True)[0].tolist() == [-0.5]
    actions, state = policy.predict(np.array([[1.0, 11.0, 0.5], [2.0, 12.0, 3.0]]), 4, deterministic=True)
    assert (actions.tolist(), state) == ([[-0.5], [-3.0]], 5)
    assert policy.observation_space.shape == (3,)


def test_a_policy_without_a_state() -> None:
    class Forgets:
        observation_space = Dict(dict(CART_SPACE.spaces))

        def predict(self, obs: Any, deterministic: bool) -> tuple[Any, Any]:
            return obs["place"], None

    assert on_columns(Forgets()).predict(np.array([1.0, 11.0, 0.5]), deterministic=True)[0].tolist() == [
        1,
        11,
    ]


def test_other_policies_stay_as_they_are() -> None:
    policy = object()
    assert on_columns(policy) is policy
