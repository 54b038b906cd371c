import pytest
import torch

from offline_envs.dynamics import Prediction, UnknownDetector
from offline_envs.envs import Penalize, Step
from offline_envs.mdp.pessimism import Halt, halt_reward


def half(prediction: Prediction) -> torch.Tensor:
    return prediction.std[0, :, 0] / 2


def test_subtracts_coefficient_times_uncertainty_but_not_from_exploded_rows() -> None:
    no = torch.zeros(3, dtype=torch.bool)
    exploded = torch.tensor([False, True, False])
    reward, zero = torch.tensor([1.0, -9.0, 3.0]), torch.zeros(3)
    step = Step(torch.zeros(3, 2), reward, no, reward, zero, exploded, no, zero)
    std = torch.tensor([2.0, torch.nan, 6.0])[None, :, None].expand(1, 3, 3)
    prediction = Prediction(torch.zeros(1, 3, 3), std)
    penalised = Penalize(10.0, half)(step, prediction)
    assert penalised.penalty.tolist() == [10.0, 0.0, 30.0]
    assert penalised.reward.tolist() == [-9.0, -9.0, -27.0]
    assert penalised.raw_reward.tolist() == [1.0, -9.0, 3.0]
    twice = Penalize(1.0, half)(penalised, prediction)
    assert twice.penalty.tolist() == [11.0, 0.0, 33.0]
    assert twice.reward.tolist() == [-10.0, -9.0, -30.0]


def test_a_step_is_joined_from_its_slices() -> None:
    def part(n: int) -> Step:
        no, numbers = torch.zeros(n, dtype=torch.bool), torch.arange(n, dtype=torch.float32)
        return Step(torch.ones(n, 2), numbers, no, numbers, numbers, no, no, numbers)

    whole = Step.concatenate(iter([part(2), part(3)]), 5)
    assert whole.reward.tolist() == [0, 1, 0, 1, 2]
    assert whole.next_obs.shape == (5, 2)


NO, EXPLODED = torch.zeros(4, dtype=torch.bool), torch.tensor([False, False, True, True])
APART = Prediction(  # two members, whose next observations are 0, 5, 0 and 5 apart in the four rows
    torch.stack([torch.zeros(4, 3), torch.tensor([[0.0, 0, 0], [0, 3, 4], [0, 0, 0], [0, 3, 4]])]),
    torch.ones(2, 4, 3),
)


def four_rows() -> Step:
    """Rows of which the last two exploded, and so were terminated with the dataset's lowest reward, −4."""
    reward = torch.tensor([1.0, 2.0, -4.0, -4.0])
    return Step(torch.ones(4, 2), reward, EXPLODED, reward, torch.zeros(4), EXPLODED, NO, torch.zeros(4))


def test_halt_ends_unknown_rows_with_its_reward() -> None:
    halted = Halt(UnknownDetector(torch.ones(2), 4.9), -104.0)(four_rows(), APART)
    assert halted.halted.tolist() == [False, True, False, True]
    assert halted.reward.tolist() == [1.0, -104.0, -4.0, -104.0]  # leaving the data far behind is no cheaper
    assert halted.terminated.tolist() == [False, True, True, True]
    assert halted.disagreement.tolist() == [0.0, 5.0, 0.0, 5.0]
    assert halted.raw_reward.tolist() == [1.0, 2.0, -4.0, -4.0]
    assert torch.equal(halted.next_obs, torch.ones(4, 2))


def test_penalty_and_halt_give_the_same_in_either_order() -> None:
    halt, penalize = Halt(UnknownDetector(torch.ones(2), 4.9), -104.0), Penalize(2.0, half)
    first, second = penalize(halt(four_rows(), APART), APART), halt(penalize(four_rows(), APART), APART)
    assert first.reward.tolist() == [0.0, -104.0, -4.0, -104.0]
    assert first.penalty.tolist() == [1.0, 0.0, 0.0, 0.0]
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_reward_of_a_halt() -> None:
    assert halt_reward(-4.0, 100.0) == -104.0
    assert halt_reward(-4.0, 100.0, gamma=0.5) == -104.0


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
def test_absorbing_halt_pays_the_sum_of_its_rewards_for_ever(gamma: float) -> None:
    """Against the sum itself, −104 · (1 + γ + γ² + …), over 5000 steps."""
    total = sum(-104.0 * gamma**t for t in range(5000))
    assert halt_reward(-4.0, 100.0, absorbing=True, gamma=gamma) == pytest.approx(total, rel=1e-6)
