import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from offline_envs.errors import SettingsError
from offline_envs.policies import TorchScriptPolicy

ACTIONS = Box(-1.0, 1.0, (1,))


class Doubled(nn.Module):
    """The first observation, doubled."""

    def forward(self, obs: Tensor) -> Tensor:
        return 2 * obs[:, :1]


class Noisy(nn.Module):
    """Standard normal numbers, whatever the observations."""

    def forward(self, obs: Tensor) -> Tensor:
        return torch.randn(obs.shape[0], 1)


class Flat(nn.Module):
    """Actions without an axis of their own."""

    def forward(self, obs: Tensor) -> Tensor:
        return obs[:, 0]


def saved(module: nn.Module, folder: Path) -> Path:
    path = folder / "policy.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of writing such files
        torch.jit.script(module).save(str(path))
    return path


def test_it_acts_as_the_function_does_within_the_bounds(tmp_path: Path) -> None:
    policy = TorchScriptPolicy(saved(Doubled(), tmp_path), 3, ACTIONS)
    obs = torch.tensor([[0.25, 9.0, 9.0], [-0.5, 9.0, 9.0], [2.0, 9.0, 9.0]])
    assert policy(obs).tolist() == [[0.5], [-1.0], [1.0]]
    action, state = policy.predict(np.array([0.25, 9.0, 9.0]), deterministic=True)
    assert (action.tolist(), state) == ([0.5], None)


def test_random_numbers_come_from_the_seed_alone(tmp_path: Path) -> None:
    """Otherwise two evaluations of one policy differ, and each changes what is drawn after it."""
    path = saved(Noisy(), tmp_path)
    obs = torch.zeros(4, 3)
    wide = Box(-9.0, 9.0, (1,))
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, second, other = (TorchScriptPolicy(path, 3, wide, seed=seed) for seed in (0, 0, 1))
    drawn = torch.cat([first(obs), first(obs)])
    assert torch.equal(drawn, torch.cat([second(obs), second(obs)]))
    assert len(drawn.unique()) == 8
    assert not torch.equal(drawn[:4], other(obs))
    assert torch.equal(torch.get_rng_state(), before)
    expected = torch.randn(4, 1, generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn[:4], expected)


def test_what_is_no_policy_for_these_spaces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"must give actions of shape \(2, 1\).*got \(2,\)"):
        TorchScriptPolicy(saved(Flat(), tmp_path), 3, ACTIONS)
    with pytest.raises(SettingsError, match=r"actions of shape \(2, 2\).*got \(2, 1\)"):
        TorchScriptPolicy(saved(Doubled(), tmp_path), 3, Box(-1.0, 1.0, (2,)))
    linear = saved(nn.Linear(3, 1), tmp_path)
    with pytest.raises(SettingsError, match=r"must take observations of shape \(2, 4\)"):
        TorchScriptPolicy(linear, 4, ACTIONS)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.pt"
    with pytest.raises(SettingsError, match="cannot be loaded as a TorchScript policy"):
        TorchScriptPolicy(path, 3, ACTIONS)
    path.write_bytes(b"weights")
    with pytest.raises(SettingsError, match="cannot be loaded as a TorchScript policy"):
        TorchScriptPolicy(path, 3, ACTIONS)
