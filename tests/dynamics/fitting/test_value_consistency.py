from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from offline_envs.dynamics import EnsembleSettings, FitSettings, Fitted, fit
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.fitting import value_consistency
from offline_envs.dynamics.fitting.rows import Rows
from offline_envs.dynamics.fitting.value_consistency import LearnedValues, ValueConsistency
from offline_envs.errors import SettingsError
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions

SETTINGS = FitSettings(value_weight=0.1, value_discount=0.9)
CPU = torch.device("cpu")


def normalizer(mean: list[float], std: list[float]) -> Normalizer:
    made = Normalizer(len(mean))
    made.mean.copy_(torch.tensor(mean))
    made.std.copy_(torch.tensor(std))
    return made


def made(terminated: Tensor, settings: FitSettings = SETTINGS) -> ValueConsistency:
    """Two members, two observation columns in units of their own, one action."""
    inputs = normalizer([1.0, -2.0, 0.0], [2.0, 0.5, 1.0])
    targets = normalizer([3.0, 0.1, 0.0], [4.0, 0.2, 0.05])
    return ValueConsistency(2, terminated, inputs, targets, fit_settings=settings, device=CPU)


class Linear:
    """Known values V = offset + w · x of a standardised observation, a row of w for each network."""

    def __init__(self, offset: float, *slopes: tuple[float, float]) -> None:
        self.offset, self.slopes = offset, torch.tensor(slopes)

    def __call__(self, obs: Tensor) -> Tensor:
        return self.offset + torch.einsum("mbd,md->mb", obs, self.slopes)


def with_known_values(terminated: Tensor, monkeypatch: pytest.MonkeyPatch) -> ValueConsistency:
    consistency = made(terminated)
    monkeypatch.setattr(LearnedValues, "learn", lambda values, obs, target: None)
    for values, known in (
        (consistency.of_data, Linear(5.0, (1.0, 0.0))),
        (consistency.of_members, Linear(2.0, (0.5, -1.0), (0.0, 2.0))),
    ):
        monkeypatch.setattr(values, "now", known)
        monkeypatch.setattr(values, "slow", known)
    return consistency


def test_advantage_in_raw_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Member 0 at raw (5, −3), a step of reward 11 and (0.3, 0.1) in raw units; then one that ends."""
    consistency = with_known_values(torch.zeros(1, dtype=torch.bool), monkeypatch)
    obs = torch.tensor([[[2.0, -2.0], [2.0, -2.0]]]).expand(2, -1, -1)
    sample = torch.tensor([[[2.0, 1.0, 2.0], [2.0, 1.0, 2.0]]]).expand(2, -1, -1)
    found = consistency.advantage(obs, sample, torch.tensor([[0.9, 0.0], [0.9, 0.0]]))
    # x′ = (2 + 0.3/2, −2 + 0.1/0.5); V_d = 7; V_0 = 2 + 1 + 2 = 5; V_0(x′) = 2 + 1.075 + 1.8 = 4.875.
    assert found[0].tolist() == pytest.approx([2 * (11 + 0.9 * 4.875 - 5), 2 * (11 - 5)], rel=1e-5)
    # V_1 = 2 − 4 = −2; V_1(x′) = 2 − 3.6 = −1.6.
    assert found[1].tolist() == pytest.approx([9 * (11 - 0.9 * 1.6 + 2), 9 * (11 + 2)], rel=1e-5)


def test_its_gradient_is_that_of_half_the_squared_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """∂V_i/∂μ is exact for linear values: (σ_r, γ·w·σ/s), and the term's gradient −φ·(V_d − V_i)·∂V_i/∂μ.

    With a weight that does not depend on the sample, as in VIPO's release, it would be zero.
    """
    n = 200_000
    consistency = with_known_values(torch.zeros(1, dtype=torch.bool), monkeypatch)
    index = torch.zeros(2, n, dtype=torch.int32)
    inputs = torch.tensor([0.5, 0.2, 0.0]).expand(2, n, -1)
    mean = torch.tensor([0.1, -0.2, 0.3]).repeat(2, 1, 1).requires_grad_()
    logvar = torch.tensor([-1.0, -0.5, 0.0])
    noise = consistency.draw(index, 0)
    terms = consistency.term(
        index,
        inputs,
        torch.zeros(2, n, 3),
        mean.expand(2, n, 3),
        logvar.expand(2, n, 3),
        noise,
    )
    (found,) = torch.autograd.grad(terms.sum(), mean)
    for i, slope in enumerate([(0.5, -1.0), (0.0, 2.0)]):
        gap = (5 + 0.5) - (2 + slope[0] * 0.5 + slope[1] * 0.2)
        reward_and_step = [4.0, 0.9 * slope[0] * 0.2 / 2, 0.9 * slope[1] * 0.05 / 0.5]
        expected = torch.tensor([-0.1 * gap * part for part in reward_and_step])
        torch.testing.assert_close(found[i, 0], expected, rtol=0.02, atol=0.02)


def test_values_are_learned_from_rewards_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With reward 1 and γ = 0.5 the value is 2, and 1 where the step is the last."""
    monkeypatch.setattr(value_consistency, "TARGET_RATE", 0.1)
    terminated = torch.tensor([False, True])
    settings = replace(SETTINGS, value_discount=0.5)
    inputs, targets = normalizer([0.0] * 3, [1.0] * 3), normalizer([0.0] * 3, [1.0] * 3)
    consistency = ValueConsistency(2, terminated, inputs, targets, fit_settings=settings, device=CPU)
    index = torch.tensor([[0, 1]]).expand(2, -1)
    obs = torch.tensor([[[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]]).expand(2, -1, -1)
    recorded = torch.tensor([1.0, 0.0, 0.0]).expand(2, 2, 3)
    predicted = torch.tensor([3.0, 0.0, 0.0]).expand(2, 2, 3)  # members believe in three times as much
    for step in range(300):
        noise = 0 * consistency.draw(index, step)
        consistency.term(index, obs, recorded, predicted, torch.zeros(2, 2, 3), noise)
    now = consistency.of_data.now(obs[:1, :, :2])[0].tolist()
    of_members = consistency.of_members.now(obs[..., :2])
    assert now == pytest.approx([2.0, 1.0], abs=0.1)
    for i in range(2):
        assert of_members[i].tolist() == pytest.approx([6.0, 3.0], abs=0.3)


def value_fit(weight: float, folder: Path | None = None) -> Fitted:
    settings = replace(QUICK, value_weight=weight)
    return fit(linear_transitions(), TINY, fit_settings=settings, progress=False, folder=folder)


def test_a_term_without_weight_changes_nothing_and_one_with_it_does() -> None:
    plain, tiny, large = (value_fit(weight).ensemble for weight in (0.0, 1e-30, 1e-2))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, tiny.state_dict()[name]), name
    weight = "trunk.0.weight"
    assert not torch.equal(plain.state_dict()[weight], large.state_dict()[weight])


def test_an_interrupted_fit_resumes_with_its_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = value_fit(1e-2)
    gathered, left = Rows.batch, [7]  # in the second epoch

    def interrupt(rows: Rows, index: Tensor) -> tuple[Tensor, Tensor]:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return gathered(rows, index)

    with monkeypatch.context() as patch:
        patch.setattr(Rows, "batch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            value_fit(1e-2, tmp_path)
    resumed = value_fit(1e-2, tmp_path)
    for name, value in whole.ensemble.state_dict().items():
        assert torch.equal(value, resumed.ensemble.state_dict()[name]), name


def test_members_without_variance_are_refused() -> None:
    shape = EnsembleSettings(n_members=2, n_elites=1, hidden=(8,), probabilistic=False)
    with pytest.raises(SettingsError, match="value_weight needs members that predict a variance"):
        fit(linear_transitions(), shape, fit_settings=replace(QUICK, value_weight=1.0), progress=False)
