"""The dataset's part of a mixed buffer: sampled separately, and taken from memory."""

from typing import Any

import numpy as np
import pytest
import torch

from offline_envs.errors import SettingsError
from offline_envs.sb3.buffers import mixed_replay_buffer
from tests.sb3.buffers.test_mixed_replay_buffer import add_steps, is_real, make_agent, make_buffer
from tests.sb3.toy import toy_transitions


def seeded_buffer(**settings: Any) -> Any:
    np.random.seed(4)  # noqa: NPY002 what SB3's set_random_seed does
    return make_buffer(10, real_ratio=0.25, **settings)


def test_the_parts_are_the_rows_of_a_sample() -> None:
    whole, apart = seeded_buffer(), seeded_buffer()
    for n_steps in (0, 4):
        for buffer in (whole, apart):
            add_steps(buffer, 0, n_steps)
        sample, (data, model) = whole.sample(16), apart.sample_parts(16)
        assert is_real(data).all()
        assert not is_real(model).any()
        assert (len(data.rewards), len(model.rewards)) == ((4, 12) if n_steps else (16, 0))
        assert whole.n_real(16) == len(data.rewards)
        for together, one, other in zip(sample[:5], data[:5], model[:5], strict=True):
            assert torch.equal(together, torch.cat([one, other]))


def test_transitions_from_memory_replace_reading(monkeypatch: pytest.MonkeyPatch, dataset_path: str) -> None:
    read = seeded_buffer(dataset=dataset_path)
    given = seeded_buffer(dataset=dataset_path)
    rewards = read.sample(16).rewards
    monkeypatch.setattr(mixed_replay_buffer, "task_transitions", lambda *a, **k: pytest.fail("read"))
    given.use(toy_transitions())
    assert torch.equal(given.sample(16).rewards, rewards)
    state = given.__getstate__()
    assert (state["dataset"], state["_real_rows"]) == (dataset_path, None)
    with pytest.raises(SettingsError, match="before the first"):
        given.use(toy_transitions())


def test_a_buffer_from_a_file_reads_no_dataset_before_it_is_given_one(
    monkeypatch: pytest.MonkeyPatch, dataset_path: str, tmp_path: Any
) -> None:
    agent = make_agent("sac", dataset_path).learn(12)
    agent.save_replay_buffer(tmp_path / "buffer.pkl")
    rows = agent.replay_buffer._storage().clone()
    monkeypatch.setattr(mixed_replay_buffer, "task_transitions", lambda *a, **k: pytest.fail("read"))
    agent.load_replay_buffer(tmp_path / "buffer.pkl")
    again = agent.replay_buffer.__getstate__()
    assert torch.equal(again["_model_rows"], rows[8:][:12])
    agent.replay_buffer.use(toy_transitions())
    assert torch.equal(agent.replay_buffer._storage(), rows)
