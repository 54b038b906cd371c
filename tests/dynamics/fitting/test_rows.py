from dataclasses import replace

import pytest
import torch

from offline_envs.dynamics import FitSettings
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.fitting.rows import (
    Rows,
    holdout_size,
    rows_of_fit,
    split_index,
    split_rows,
    target_scaler,
)
from offline_envs.errors import DatasetError
from tests.dynamics.linear_data import linear_transitions


def split(seed: int = 0) -> tuple[Rows, Normalizer]:
    normalizer = Normalizer(3)
    rows = split_rows(
        linear_transitions(100),
        normalizer,
        fit_settings=FitSettings(seed=seed),
        device=torch.device("cpu"),
    )
    return rows, normalizer


def test_rows_are_the_dataset_split_and_standardised() -> None:
    rows, normalizer = split()
    data = linear_transitions(100)
    assert (len(rows.train), len(rows.holdout)) == (80, 20)
    torch.testing.assert_close(rows.train[:, :3].mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(rows.train[:, :3].std(0, correction=0), torch.ones(3))
    everything = torch.cat([rows.train, rows.holdout])
    expected = torch.cat(
        [
            normalizer(torch.cat([data.obs, data.actions], dim=1)),
            data.rewards[:, None],
            data.next_obs - data.obs,
        ],
        dim=1,
    )
    torch.testing.assert_close(
        everything[everything[:, 3].argsort()], expected[expected[:, 3].argsort()], atol=0, rtol=0
    )


def test_batch_gathers_inputs_and_targets_of_each_member() -> None:
    rows, _ = split()
    inputs, targets = rows.batch(torch.tensor([[3, 5], [7, 3]], dtype=torch.int32))
    assert inputs.shape == (2, 2, 3)
    assert torch.equal(inputs[1, 1], rows.train[3, :3])
    assert torch.equal(targets[0, 1], rows.train[5, 3:])


def test_holdout_depends_on_the_seed() -> None:
    assert torch.equal(split(1)[0].holdout, split(1)[0].holdout)
    assert not torch.equal(split(1)[0].holdout, split(2)[0].holdout)


def test_holdout_is_at_most_a_fifth() -> None:
    assert holdout_size(100_000, FitSettings()) == 1000
    assert holdout_size(600, FitSettings()) == 120
    with pytest.raises(DatasetError, match=r"at least 50 transitions.*got 49"):
        holdout_size(49, FitSettings())


def test_holdout_may_be_another_share() -> None:
    """A tenth, as in RAMBO's release."""
    settings = FitSettings(holdout_share=0.1)
    assert [holdout_size(n, settings) for n in (100, 600, 100_000)] == [10, 60, 1000]
    with pytest.raises(DatasetError, match=r"at least 100 transitions, of which holdout_share=0\.1 .*got 99"):
        holdout_size(99, settings)


def test_rows_of_a_finished_fit_are_those_that_it_had() -> None:
    """Other rows would mix the holdout into training, and other scales would change the model."""
    rows, normalizer = split(3)
    again = rows_of_fit(linear_transitions(100), normalizer, fit_settings=FitSettings(seed=3))
    assert torch.equal(again.train, rows.train)
    assert torch.equal(again.holdout, rows.holdout)
    assert again.n_inputs == rows.n_inputs


def test_rows_of_a_fit_over_several_steps_are_those_that_it_had() -> None:
    settings = FitSettings(seed=3, rollout_steps=4, max_epochs=1)
    normalizer = Normalizer(3)
    rows = split_rows(linear_transitions(102), normalizer, fit_settings=settings, device=torch.device("cpu"))
    again = rows_of_fit(linear_transitions(102), normalizer, fit_settings=settings)
    assert torch.equal(again.train, rows.train)
    assert torch.equal(again.holdout, rows.holdout)


def test_only_what_never_changes_has_a_tiny_deviation() -> None:
    """A reward that is rare enough to be in the holdout alone would otherwise dominate every error."""
    data = linear_transitions(100)
    constant = replace(data, rewards=torch.full((100,), 7.0))
    rare = constant.rewards.clone()
    rare[split_index(100, FitSettings())[1][0]] = 8.0
    scales = []
    for rewards in (constant.rewards, rare, data.rewards):
        rows = split_rows(
            replace(data, rewards=rewards),
            Normalizer(3),
            fit_settings=FitSettings(),
            device=torch.device("cpu"),
        )
        scales.append(float(target_scaler(rows).std[0]))
    assert scales[0] == pytest.approx(7e-6)
    assert scales[1] == 1.0
    assert scales[2] == pytest.approx(1.0, rel=0.3)
