import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from offline_envs.errors import SettingsError
from offline_envs.policies import UniformPolicy


def test_uniform_actions_fill_the_space_and_repeat_with_the_seed() -> None:
    space = Box(np.array([-1, 5], np.float32), np.array([1, 6], np.float32))
    first, second = (UniformPolicy(space, torch.Generator().manual_seed(4)) for _ in range(2))
    actions = first(torch.zeros(4000, 3))
    assert torch.equal(actions, second(torch.zeros(4000, 3)))
    torch.testing.assert_close(actions.amin(0), torch.tensor([-1.0, 5.0]), atol=0.01, rtol=0)
    torch.testing.assert_close(actions.amax(0), torch.tensor([1.0, 6.0]), atol=0.01, rtol=0)
    torch.testing.assert_close(actions.mean(0), torch.tensor([0.0, 5.5]), atol=0.05, rtol=0)


def test_it_predicts_one_action_or_a_batch_as_agents_do() -> None:
    space = Box(np.array([-1, 5], np.float32), np.array([1, 6], np.float32))
    policy = UniformPolicy(space, torch.Generator().manual_seed(4))
    one, state = policy.predict(np.zeros(3))
    assert (one.shape, one.dtype, state) == ((2,), np.float32, None)
    assert policy.predict(np.zeros((5, 3)))[0].shape == (5, 2)


def test_an_unbounded_space_is_refused() -> None:
    with pytest.raises(SettingsError, match="bounded Box"):
        UniformPolicy(Box(-np.inf, np.inf, (2,)), torch.Generator())
