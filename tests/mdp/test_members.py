import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.errors import SettingsError
from offline_envs.mdp.members import Members

SETTINGS = EnsembleSettings(n_members=5, n_elites=3, hidden=(8, 8))


@pytest.fixture
def ensemble() -> EnsembleDynamics:
    made = EnsembleDynamics(3, 2, settings=SETTINGS)
    made.elites.copy_(torch.tensor([4, 0, 2]))
    return made.requires_grad_(False)


def test_knows_where_the_elites_stand(ensemble: EnsembleDynamics) -> None:
    obs, action = torch.randn(7, 3), torch.randn(7, 2)
    whole = ensemble.predict(obs, action)
    for choice, order, elites in (("all", [0, 1, 2, 3, 4], [4, 0, 2]), ("elites", [4, 0, 2], [0, 1, 2])):
        evaluated = Members.of(ensemble, choice)
        found = evaluated.predict(obs, action)
        assert evaluated.elites.tolist() == elites
        assert evaluated.n_members == len(order)
        torch.testing.assert_close(found.mean, whole.mean[order])
        torch.testing.assert_close(found.std, whole.std[order])


@pytest.mark.parametrize("n_rows", [1, 2, 3, 13, 255, 256, 300])
def test_elites_predict_the_same_bits_whoever_else_is_asked(ensemble: EnsembleDynamics, n_rows: int) -> None:
    """Otherwise an agent sees other transitions in a penalised environment than in a learned one."""
    obs, action = torch.randn(n_rows, 3), torch.randn(n_rows, 2)
    everyone = Members.of(ensemble, "all").predict(obs, action)
    elites = Members.of(ensemble, "elites").predict(obs, action)
    assert torch.equal(everyone.mean[[4, 0, 2]], elites.mean)
    assert torch.equal(everyone.std[[4, 0, 2]], elites.std)


@pytest.mark.parametrize("choice", ["all", "elites"])
def test_follows_the_ensemble_when_its_weights_change(ensemble: EnsembleDynamics, choice: str) -> None:
    evaluated = Members.of(ensemble, choice)
    ensemble.heads[0].bias.fill_(3.0)  # type: ignore[operator]
    ensemble.heads[0].weight.zero_()  # type: ignore[operator]
    assert (evaluated.predict(torch.randn(4, 3), torch.randn(4, 2)).mean == 3.0).all()


def test_unknown_choice_is_refused(ensemble: EnsembleDynamics) -> None:
    with pytest.raises(SettingsError, match=r"Unknown members 'some'\. Valid: all, elites"):
        Members.of(ensemble, "some")


@pytest.mark.parametrize("choice", ["all", "elites"])
def test_each_row_is_predicted_by_its_own_elite(ensemble: EnsembleDynamics, choice: str) -> None:
    obs, action = torch.randn(7, 3), torch.randn(7, 2)
    evaluated = Members.of(ensemble, choice)
    elite = torch.tensor([0, 1, 2, 1, 0, 2, 2])
    found = evaluated.predict_own(obs, action, evaluated.elites[elite])
    whole = ensemble.predict(obs, action).mean
    expected = torch.stack([whole[member, row] for row, member in enumerate([4, 0, 2, 0, 4, 2, 2])])
    torch.testing.assert_close(found.mean, expected)
