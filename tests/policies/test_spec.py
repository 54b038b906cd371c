from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.policies import POLICIES, ActsIn, TensorPolicy, is_policy_spec, policy_from_spec

WHERE = ActsIn(Box(-1.0, 1.0, (2,)), seed=3)


class Constant(TensorPolicy):
    def __init__(self, value: float, space: Box) -> None:
        self._action = torch.full(space.shape, value)

    def __call__(self, obs: Tensor, /) -> Tensor:
        return self._action.expand(len(obs), -1)


def constant(where: ActsIn, settings: Mapping[str, Any]) -> Constant:
    return Constant(settings.get("value", 0.0), where.box())


POLICIES.register("tests/constant", constant)


def test_uniform_actions_by_name_repeat_with_the_seed() -> None:
    first, second = (policy_from_spec("uniform", WHERE) for _ in range(2))
    obs = np.zeros((5, 4), np.float32)
    actions, _ = first.predict(obs, deterministic=True)
    np.testing.assert_array_equal(actions, second.predict(obs, deterministic=True)[0])
    assert actions.shape == (5, 2)
    assert len(np.unique(actions)) == 10


def test_a_registered_policy_gets_its_settings() -> None:
    assert is_policy_spec("tests/constant:value=0.5")
    policy = policy_from_spec("tests/constant:value=0.5", WHERE)
    assert policy.predict(np.zeros(4), deterministic=True)[0].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unifrom", r"Unknown policy 'unifrom'\. Valid: .*uniform"),
        ("uniform:seed=3", "'uniform' has no settings, got seed"),
        ("tests/constant:value", "name=value"),
        ("tests/constant:value=1,value=2", "each once"),
    ],
)
def test_a_text_that_names_no_policy_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        policy_from_spec(text, WHERE)


def test_a_path_is_no_spec() -> None:
    assert not is_policy_spec("runs/train/seed-0/policies/last_policy.zip")
