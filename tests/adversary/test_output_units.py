import pytest
import torch

from offline_envs.adversary.output_units import OutputUnits
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, make_optimizer


@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize("separate_heads", [True, False])
def test_steps_are_those_of_the_fit_on_standardised_outputs(separate_heads: bool, decay: float) -> None:
    """Two ensembles that differ by the units of their means only, with gradients of the same loss.

    In raw units a decay is too strong by the square of an output's deviation: 1e6 times for the last one.
    """
    settings = EnsembleSettings(n_members=2, n_elites=1, hidden=(4,), separate_heads=separate_heads)
    scale = torch.tensor([1e-4, 1.0, 1e3])
    standardised, raw = EnsembleDynamics(2, 1, settings=settings), EnsembleDynamics(2, 1, settings=settings)
    raw.rescale_outputs(torch.zeros(3), scale)
    units = OutputUnits(raw, scale)
    fit = FitSettings(learning_rate=1e-2, weight_decay=(decay,))
    adams = [make_optimizer(ensemble, fit) for ensemble in (standardised, raw)]
    inputs, target = torch.randn(2, 50, 3), torch.randn(2, 50, 3)
    for _ in range(3):
        for ensemble, adam, unit in ((standardised, adams[0], torch.ones(3)), (raw, adams[1], scale)):
            adam.zero_grad()
            (ensemble(inputs)[0] / unit - target).square().mean().backward()
            units.step(adam) if ensemble is raw else adam.step()
    torch.testing.assert_close(raw(inputs)[0] / scale, standardised(inputs)[0], rtol=1e-4, atol=1e-5)
