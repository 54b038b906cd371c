"""What a subclass of `FastSAC` with another loss of the critics can rely on."""

from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import SAC

from offline_envs.sb3 import FastSAC, constructor_options
from offline_envs.sb3.fast_sac import fast_sac
from offline_envs.sb3.fast_sac.sac_step import SACBatch, SACParts, SACStep
from tests.fake_graph import use_fake_graphs
from tests.sb3.fast_sac.agents import MIXED, assert_same, make, numbers, reloaded, trained

BATCHES: list[SACBatch] = []
"""Batches of the steps taken so far."""


class NoisyStep(SACStep):
    """Adds noise to the targets."""

    def __init__(self, parts: SACParts, weight: float) -> None:
        super().__init__(parts)
        self.weight = weight

    def _target(self, batch: SACBatch, *args: Any) -> torch.Tensor:
        BATCHES.append(batch)
        noise = torch.empty_like(batch.reward).normal_(generator=self.generator)
        self.further["noise"] = noise.mean()
        return super()._target(batch, *args) + self.weight * noise


class Noisy(FastSAC):
    def __init__(self, *args: Any, weight: float = 0.5, **kwargs: Any) -> None:
        self.weight = weight
        super().__init__(*args, **kwargs)

    def _make_step(self, parts: SACParts) -> SACStep:
        return NoisyStep(parts, self.weight)


@pytest.fixture(autouse=True)
def forget_batches() -> None:
    BATCHES.clear()


def test_further_random_numbers_leave_those_of_the_batches_alone() -> None:
    """With weight 0 it draws as much as with any other, and is FastSAC."""
    assert_same(numbers(trained(Noisy, weight=0.0)), numbers(trained(FastSAC)))
    actor = "policy actor.mu.weight"
    assert not torch.equal(numbers(trained(Noisy))[actor], numbers(trained(FastSAC))[actor])


def test_further_random_numbers_change_from_one_call_to_the_next() -> None:
    agent = trained(Noisy, updates=1)
    noise = agent.logger.name_to_value["train/noise"]
    agent.train(1, batch_size=16)
    assert agent.logger.name_to_value["train/noise"] != noise


def test_its_settings_are_saved_and_it_resumes_exactly(tmp_path: Path) -> None:
    agent = trained(Noisy, weight=0.25)
    loaded = reloaded(agent, Noisy, tmp_path / "agent.zip")
    assert isinstance(loaded, Noisy)
    assert loaded.weight == 0.25
    for each in (agent, loaded):
        each.set_random_seed(7)
        each.train(5, batch_size=16)
    assert_same(numbers(loaded), numbers(agent))


def test_it_takes_every_option_of_sac() -> None:
    assert set(constructor_options(FastSAC)) > set(constructor_options(SAC))
    assert set(constructor_options(Noisy)) == {*constructor_options(FastSAC), "weight"}


def test_its_scalars_are_logged_as_means() -> None:
    agent = trained(Noisy)
    assert {"train/noise", "train/critic_loss"} <= agent.logger.name_to_value.keys()
    seed, expected = fast_sac._seed_after(0), torch.Generator()
    expected.manual_seed(seed)
    means = [torch.empty(16, 1).normal_(generator=expected).mean() for _ in range(5)]
    assert agent.logger.name_to_value["train/noise"] == pytest.approx(float(torch.stack(means).mean()))


def test_rows_of_the_dataset_are_marked() -> None:
    """Those of the toy dataset have -1 as first observation."""
    trained(Noisy, updates=3, **MIXED)
    for batch in BATCHES:
        assert batch.real.shape == (16, 1)
        assert torch.equal(batch.real[:, 0] == 1, batch.obs[:, 0] == -1)
        assert batch.real.sum() == 4


def test_all_rows_are_marked_while_there_is_no_other() -> None:
    agent = make(Noisy, **MIXED)
    assert agent.replay_buffer is not None
    agent.replay_buffer.reset()
    agent.train(1, batch_size=16)
    assert BATCHES[0].real.sum() == 16


def test_no_row_of_another_buffer_is_marked() -> None:
    trained(Noisy, updates=1)
    assert BATCHES[0].real.sum() == 0


def test_its_captured_step_is_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_graphs(monkeypatch)
    eager, captured = make(Noisy), make(Noisy)
    eager.set_random_seed(3)
    eager.train(10, batch_size=16)
    captured.set_random_seed(3)
    monkeypatch.setattr(fast_sac, "captures", lambda device: True)
    captured.train(10, batch_size=16)
    assert captured._graphs
    assert_same(numbers(captured), numbers(eager))
    assert captured.logger.name_to_value == eager.logger.name_to_value
