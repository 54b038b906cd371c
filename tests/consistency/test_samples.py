import torch

from offline_envs.consistency.samples import Steps, sampled_next_obs
from tests.consistency.gaussians import STD, recorded, shifted_model
from tests.toy import MEANS, STDS, toy_ensemble, toy_transitions


def test_each_row_follows_one_elite_and_its_gaussian() -> None:
    """Elites 2 and 0, by hand from the same random numbers."""
    obs, action = torch.zeros(50, 2), torch.zeros(50, 1)
    found = sampled_next_obs(toy_ensemble(), obs, action, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    member = torch.tensor([2, 0])[torch.randint(2, (50,), generator=generator)]
    noise = torch.randn(50, 2, generator=generator)
    expected = torch.tensor(MEANS)[member, 1:] + torch.tensor(STDS)[member, 1:] * noise
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_model_of_one_member_without_its_own_prediction() -> None:
    data = recorded()
    steps = Steps.of(data, torch.device("cpu")).of_model(shifted_model(), torch.Generator().manual_seed(0))
    missed = steps.next_obs - data.obs - data.actions
    assert abs(missed.mean().item()) < 0.03
    assert abs(missed.std().item() - STD) < 0.03


def test_rows_of_a_dataset() -> None:
    steps = Steps.of(toy_transitions(), torch.device("cpu")).rows(torch.tensor([4, 0]))
    assert steps.obs.tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert steps.action.tolist() == [[0.0], [-1.0]]
    assert steps.next_obs.tolist() == [[2.0, 1.0], [1.0, 0.0]]
