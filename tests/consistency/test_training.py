"""A discriminator learns what can be worked out, the same whether it was interrupted or not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_envs.consistency import DiscriminatorSettings, DynamicsReward, fit_dynamics_reward, training
from offline_envs.consistency.progress import TrainingProgress
from offline_envs.consistency.training import split_rows
from offline_envs.dynamics import STATE_FILE
from offline_envs.errors import CheckpointError, DatasetError, OfflineEnvsError
from tests.consistency.gaussians import SHIFT, STD, log_ratio, recorded, shifted_model
from tests.dynamics.own_model import LinearModel
from tests.toy import toy_ensemble, toy_transitions

QUICK = DiscriminatorSettings(hidden=(16, 16), n_snapshots=3, steps=30, batch_size=16)


def tensors_of(reward: DynamicsReward) -> list[torch.Tensor]:
    own = reward.discriminators
    parts = [part for layer in own.layers for part in layer]
    return [own.mean, own.std, reward.of_model, reward.of_data, *parts]


def same(one: DynamicsReward, other: DynamicsReward) -> bool:
    return all(map(torch.equal, tensors_of(one), tensors_of(other)))


@pytest.mark.parametrize("successor", ["next_obs", "delta"])
def test_it_approaches_the_ratio_of_the_densities(successor: str) -> None:
    """The best logit is log p/q, which is known, and linear here, so that few steps suffice."""
    settings = DiscriminatorSettings(
        hidden=(32, 32), n_snapshots=2, steps=400, learning_rate=3e-3, successor=successor
    )
    reward = fit_dynamics_reward(shifted_model(), recorded(), settings, progress=False)
    fresh = recorded(2000, seed=1)
    steps = (fresh.obs, fresh.actions, fresh.next_obs)
    expected = log_ratio(*steps)
    missed = (reward.discriminators.logits(*steps) - expected).square().mean(dim=1)
    assert (missed < 0.1 * expected.square().mean()).all()
    assert (reward.of_data > reward.of_model).all()
    ratio = expected.sigmoid()
    assert torch.corrcoef(torch.stack([reward(*steps), ratio]))[0, 1] > 0.9


def test_a_model_that_is_right_cannot_be_told_from_the_data() -> None:
    right = LinearModel(torch.tensor([[0.0, 0.0], [0.0, 1.0]]), 1, STD)
    data = recorded()
    same_law = replace(data, next_obs=data.next_obs - SHIFT)
    settings = DiscriminatorSettings(hidden=(16,), n_snapshots=2, steps=100)
    reward = fit_dynamics_reward(right, same_law, settings, progress=False)
    assert (reward.of_data - reward.of_model).abs().max() < 0.1


def test_equal_arguments_give_equal_bits_and_another_seed_others() -> None:
    first, again, other = (
        fit_dynamics_reward(toy_ensemble(), toy_transitions(), settings, progress=False)
        for settings in (QUICK, QUICK, DiscriminatorSettings.from_json({**QUICK.to_json(), "seed": 1}))
    )
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize("at_step", [5, 15, 29])
def test_an_interrupted_training_resumes_with_the_result_of_a_whole_one(
    at_step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = toy_ensemble(), toy_transitions(), QUICK
    whole = fit_dynamics_reward(*arguments, progress=False)
    update = TrainingProgress.update

    def interrupt(self: TrainingProgress, done: int) -> None:
        update(self, done)
        if done == at_step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProgress, "update", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit_dynamics_reward(*arguments, progress=True, folder=tmp_path)
    assert f"Interrupted after {at_step} steps; the same call resumes" in capfd.readouterr().err
    assert (tmp_path / STATE_FILE).exists() == (at_step >= 10)  # the first snapshot
    taken: list[Any] = []
    step = training.Training._take_step
    monkeypatch.setattr(training.Training, "_take_step", lambda s, g: taken.append(1) or step(s, g))  # type: ignore[func-returns-value]
    assert same(fit_dynamics_reward(*arguments, progress=False, folder=tmp_path), whole)
    assert len(taken) == 30 - at_step // 10 * 10


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    fit_dynamics_reward(toy_ensemble(), toy_transitions(), QUICK, progress=False, folder=tmp_path)
    other = DiscriminatorSettings.from_json({**QUICK.to_json(), "seed": 1})
    with pytest.raises(CheckpointError, match=r"belongs to other settings\. Delete it to train again"):
        fit_dynamics_reward(toy_ensemble(), toy_transitions(), other, progress=False, folder=tmp_path)
    moved = toy_ensemble(((0.0, 0.0, 0.0),) * 3)
    with pytest.raises(CheckpointError, match=r"belongs to other weights\. Delete it"):
        fit_dynamics_reward(moved, toy_transitions(), QUICK, progress=False, folder=tmp_path)
    (tmp_path / STATE_FILE).write_bytes(b"?")
    with pytest.raises(CheckpointError, match=r"not a safetensors file .* Delete it to train again"):
        fit_dynamics_reward(toy_ensemble(), toy_transitions(), QUICK, progress=False, folder=tmp_path)


def test_a_model_on_another_device_than_the_normaliser_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device `meta` stands for a GPU: it refuses CPU tensors too, but has no numbers to copy back."""
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: torch.ones(tensor.shape))
    made = training.Training(toy_ensemble().to("meta"), toy_transitions(), QUICK)
    own = made._discriminator
    assert {part.device.type for part in (own.mean, own.std, *made._parameters)} == {"meta"}


def test_rows_are_held_out_of_the_training() -> None:
    train, held_out = split_rows(100, DiscriminatorSettings(holdout=7))
    assert (len(train), len(held_out)) == (93, 7)
    assert sorted(torch.cat([train, held_out]).tolist()) == list(range(100))
    assert [len(part) for part in split_rows(100, DiscriminatorSettings())] == [80, 20]
    assert [len(part) for part in split_rows(2, DiscriminatorSettings())] == [1, 1]
    with pytest.raises(DatasetError, match="at least 2 transitions, one to calibrate them; got 1"):
        split_rows(1, DiscriminatorSettings())


def test_a_model_that_predicts_no_numbers_is_refused() -> None:
    broken = toy_ensemble(((1.0, float("nan"), 0.0),) * 3)
    with pytest.raises(OfflineEnvsError, match=r"The loss of the discriminator is nan after 10 steps"):
        fit_dynamics_reward(broken, toy_transitions(), QUICK, progress=False)
