import torch

from offline_envs.dynamics import Prediction
from offline_envs.envs import Penalize, Step


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
