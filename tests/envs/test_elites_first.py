import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.envs.elites_first import ElitesFirst
from offline_envs.errors import SettingsError

SETTINGS = EnsembleSettings(n_members=5, n_elites=3, hidden=(8, 8))


@pytest.fixture
def ensemble() -> EnsembleDynamics:
    made = EnsembleDynamics(3, 2, settings=SETTINGS)
    made.elites.copy_(torch.tensor([4, 0, 2]))
    return made.requires_grad_(False)


def test_predicts_by_the_elites_first(ensemble: EnsembleDynamics) -> None:
    obs, action = torch.randn(7, 3), torch.randn(7, 2)
    whole = ensemble.predict(obs, action)
    for choice, order in (("all", [4, 0, 2, 1, 3]), ("elites", [4, 0, 2])):
        evaluated = ElitesFirst.of(ensemble, choice)
        found = evaluated.predict(obs, action)
        assert evaluated.elites.tolist() == [0, 1, 2]
        assert evaluated.n_members == len(order)
        torch.testing.assert_close(found.mean, whole.mean[order])
        torch.testing.assert_close(found.std, whole.std[order])


@pytest.mark.parametrize("n_rows", [1, 2, 3, 13, 255])
def test_elites_predict_the_same_bits_whoever_else_is_asked(ensemble: EnsembleDynamics, n_rows: int) -> None:
    """Otherwise an agent sees other transitions in a penalised environment than in a learned one."""
    obs, action = torch.randn(n_rows, 3), torch.randn(n_rows, 2)
    everyone = ElitesFirst.of(ensemble, "all").predict(obs, action)
    elites = ElitesFirst.of(ensemble, "elites").predict(obs, action)
    assert torch.equal(everyone.mean[:3], elites.mean)
    assert torch.equal(everyone.std[:3], elites.std)


def test_an_ensemble_of_elites_is_not_copied() -> None:
    ensemble = EnsembleDynamics(3, 2, settings=EnsembleSettings(n_members=2, n_elites=2, hidden=(8,)))
    assert ElitesFirst.of(ensemble, "all").front is ensemble


def test_unknown_choice_is_refused(ensemble: EnsembleDynamics) -> None:
    with pytest.raises(SettingsError, match=r"Unknown penalty_members 'some'\. Valid: all, elites"):
        ElitesFirst.of(ensemble, "some")
