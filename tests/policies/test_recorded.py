import pytest
import torch

from offline_envs.errors import SettingsError
from offline_envs.policies import RecordedActions


def test_actions_are_replayed_in_order_and_then_there_are_none() -> None:
    actions = torch.arange(6.0).reshape(2, 3, 1)
    policy = RecordedActions(actions)
    obs = torch.zeros(2, 4)
    assert [policy(obs).flatten().tolist() for _ in range(3)] == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    with pytest.raises(SettingsError, match="All 3 recorded actions of each row have been taken"):
        policy(obs)
