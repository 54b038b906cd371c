"""Storing a rollout in `MixedReplayBuffer` in one call, compared with its steps one by one."""

import numpy as np
import pytest
import torch

from offline_envs.envs import Rollout
from offline_envs.errors import SettingsError
from offline_envs.sb3 import MixedReplayBuffer
from tests.sb3.buffers.test_mixed_replay_buffer import make_buffer, model_rows
from tests.sb3.toy import ACTION_SPACE


def random_rollout(n_steps: int, n: int = 2) -> Rollout:
    """A rollout of numbers that are all different, with rows that end either way, both ways or not at all."""
    generator = torch.Generator().manual_seed(n_steps)
    obs, next_obs, action = (torch.rand(n_steps, n, size, generator=generator) for size in (2, 2, 1))
    terminated, truncated = (torch.rand(n_steps, n, generator=generator) < 0.5 for _ in range(2))
    return Rollout(obs, 8 * action - 2, obs[..., 0], next_obs, terminated, truncated)


def add_by_step(buffer: MixedReplayBuffer, rollout: Rollout) -> None:
    """Store a rollout as SB3 does: step by step, in arrays."""
    arrays = (field.reshape(-1, buffer.n_envs, *field.shape[2:]).numpy() for field in rollout)
    for obs, action, reward, next_obs, terminated, truncated in zip(*arrays, strict=True):
        scaled = 2 * (action - ACTION_SPACE.low) / (ACTION_SPACE.high - ACTION_SPACE.low) - 1
        infos = [{"TimeLimit.truncated": bool(cut)} for cut in truncated & ~terminated]
        buffer.add(obs, next_obs, scaled, reward, terminated | truncated, infos)


@pytest.mark.parametrize("handle", [True, False])
@pytest.mark.parametrize("lengths", [(1,), (3,), (5,), (2, 2), (4, 4, 4), (5, 5), (3, 12), (13, 3), (16, 0)])
def test_a_rollout_is_stored_like_its_steps(lengths: tuple[int, ...], handle: bool) -> None:
    """Five steps fit: some of these fill the ring exactly, some wrap, some overwrite themselves."""
    at_once, by_step = (make_buffer(10, n_envs=2, handle_timeout_termination=handle) for _ in range(2))
    for n_steps in lengths:
        at_once.add_rollout(random_rollout(n_steps))
        add_by_step(by_step, random_rollout(n_steps))
        assert (at_once.pos, at_once.full, at_once.size()) == (by_step.pos, by_step.full, by_step.size())
        np.testing.assert_allclose(model_rows(at_once), model_rows(by_step), atol=1e-6)
    assert torch.equal(at_once._storage()[:8], by_step._storage()[:8])  # the dataset is not written to


def test_a_row_of_a_rollout_by_hand() -> None:
    values = (torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[6.0]]]), torch.tensor([[5.0]]))
    flags = torch.tensor([[False]]), torch.tensor([[True]])
    rollout = Rollout(*values, torch.tensor([[[3.0, 4.0]]]), *flags)
    for handle, done in ((True, 0.0), (False, 1.0)):
        buffer = make_buffer(4, handle_timeout_termination=handle)
        buffer.add_rollout(rollout)
        assert model_rows(buffer).tolist() == [[1, 2, 1, 3, 4, done, 5]]


def test_a_rollout_may_have_another_number_of_rows_than_a_step() -> None:
    buffer, by_step = make_buffer(20, n_envs=2), make_buffer(20, n_envs=2)
    buffer.add_rollout(random_rollout(2, n=6))
    add_by_step(by_step, random_rollout(2, n=6))
    assert buffer.model_size == 12
    np.testing.assert_allclose(model_rows(buffer), model_rows(by_step), atol=1e-6)


def test_a_rollout_that_does_not_fit_is_refused() -> None:
    buffer, rollout = make_buffer(10, n_envs=2), random_rollout(1, n=3)
    with pytest.raises(SettingsError, match="a multiple of n_envs=2 transitions, got 3"):
        buffer.add_rollout(rollout)
    with pytest.raises(SettingsError, match="obs 2 and action 1, got obs 1 and action 1"):
        buffer.add_rollout(rollout._replace(obs=rollout.obs[..., :1]))
    assert (buffer.pos, buffer.model_size) == (0, 0)
