from dataclasses import replace

import pytest
import torch

from offline_envs.adversary.supervision import Supervision
from offline_envs.dynamics import FitSettings, fit
from offline_envs.dynamics.fitting.losses import gaussian_nll
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions


def test_the_loss_is_that_of_the_fit_on_each_members_own_rows() -> None:
    data = linear_transitions()
    ensemble = fit(data, TINY, fit_settings=QUICK, progress=False).ensemble
    supervision = Supervision(ensemble, data, fit_settings=QUICK, batch_size=5)
    rows, drawn = supervision._rows, supervision._drawn
    chosen = torch.randint(len(rows.train), (3, 5), generator=torch.Generator().manual_seed(7))
    expected = 0.0
    for member in range(3):
        own = rows.train[drawn[member, chosen[member]].long()]
        inputs, targets = own[:, :3], own[:, 3:]
        mean, logvar = (x[[member]] for x in ensemble(inputs.expand(3, -1, -1)))
        expected += float(gaussian_nll(mean, logvar, targets[None]))
    assert ensemble.bounds is not None
    expected += 0.01 * float(ensemble.bounds.high.sum() - ensemble.bounds.low.sum())
    found = supervision.loss(torch.Generator().manual_seed(7))
    torch.testing.assert_close(float(found), expected, rtol=1e-4, atol=1e-5)


def test_the_holdout_error_is_the_one_that_the_fit_reported() -> None:
    data = linear_transitions()
    raw = replace(QUICK, standardize_targets=False)
    ensemble, report = fit(data, TINY, fit_settings=raw, progress=False)
    found = Supervision(ensemble, data, fit_settings=raw, batch_size=5).holdout_mse()
    expected = [report.holdout_mse[i] for i in report.elites]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-6)


def test_without_bootstrap_every_member_may_draw_every_row() -> None:
    data = linear_transitions()
    settings = FitSettings(max_epochs=1, bootstrap=False)
    ensemble = fit(data, TINY, fit_settings=settings, progress=False).ensemble
    supervision = Supervision(ensemble, data, fit_settings=settings, batch_size=5)
    assert torch.equal(supervision._drawn.sort(dim=1).values, torch.arange(320).int().expand(3, -1))


@pytest.mark.parametrize("wrong", [FitSettings(seed=1), FitSettings(holdout=20)])
def test_other_rows_than_those_of_the_fit_are_detected_by_the_normaliser(wrong: FitSettings) -> None:
    """Otherwise holdout rows would be among those the model was fitted to."""
    data = linear_transitions()
    ensemble = fit(data, TINY, fit_settings=QUICK, progress=False).ensemble
    with pytest.warns(UserWarning, match=r"fitted to other rows .* Pass the FitSettings"):
        Supervision(ensemble, data, fit_settings=wrong, batch_size=5)


def test_large_means_are_no_other_rows() -> None:
    """A position of 10 000 ± 1 rounds to 1e-3 in float32, and so does its mean."""
    data = linear_transitions()
    far = replace(data, obs=data.obs + 1e4, next_obs=data.next_obs + 1e4)
    Supervision(
        fit(far, TINY, fit_settings=QUICK, progress=False).ensemble, far, fit_settings=QUICK, batch_size=5
    )
