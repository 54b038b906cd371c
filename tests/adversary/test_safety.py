import math

import pytest
import torch

from offline_envs.adversary.safety import Safety
from offline_envs.dynamics import EnsembleDynamics
from tests.adversary.toy import weights_of
from tests.toy import toy_ensemble


def shifted(ensemble: EnsembleDynamics) -> torch.Tensor:
    """Move every weight by 1; returns where they are then."""
    with torch.no_grad():
        for parameter in ensemble.parameters():
            parameter.add_(1)
    return weights_of(ensemble)


@pytest.mark.parametrize("bad", [[1.0, 4.1], [math.nan, 2.0], [1.0, math.inf]])
def test_the_weights_of_the_last_good_check_are_restored(bad: list[float]) -> None:
    """Errors were 1 and 2, so above 4 that of the second elite is too large, and so is NaN."""
    ensemble = toy_ensemble()
    safety = Safety(ensemble, torch.tensor([1.0, 2.0]), tolerance=2.0)
    good = shifted(ensemble)
    safety.check_holdout(torch.tensor([1.0, 4.0]))
    assert (safety.ratio, safety.stopped) == (2.0, "")
    shifted(ensemble)
    with pytest.warns(UserWarning, match=r"The adversary stopped: .* more than tolerance=2\. .*smaller"):
        safety.check_holdout(torch.tensor(bad))
    assert torch.equal(weights_of(ensemble), good)
    assert "holdout error" in safety.stopped


def test_a_finite_gradient_is_followed() -> None:
    safety = Safety(toy_ensemble(), torch.ones(2), tolerance=2.0)
    assert safety.check_gradient(torch.tensor(1e30))
    with pytest.warns(UserWarning, match="gradient is inf"):
        assert not safety.check_gradient(torch.tensor(math.inf))


def test_a_perfect_model_may_not_divide_by_zero() -> None:
    safety = Safety(toy_ensemble(), torch.zeros(2), tolerance=2.0)
    safety.check_holdout(torch.zeros(2))
    assert (safety.ratio, safety.stopped) == (0.0, "")
