"""Steps and predictions worked out on paper, for transforms."""

from typing import Any

import torch

from offline_envs.dynamics import Prediction
from offline_envs.mdp import Step

EXPLODED = torch.tensor([False, False, True, True])
APART = Prediction(  # two members, whose next observations are 0, 5, 0 and 5 apart in the four rows
    torch.stack([torch.zeros(4, 3), torch.tensor([[0.0, 0, 0], [0, 3, 4], [0, 0, 0], [0, 3, 4]])]),
    torch.ones(2, 4, 3),
)


def half(prediction: Prediction) -> torch.Tensor:
    return prediction.std[0, :, 0] / 2


def four_rows() -> Step:
    """Rows of which the last two exploded, and so were terminated with the dataset's lowest reward, −4."""
    reward = torch.tensor([1.0, 2.0, -4.0, -4.0])
    return Step.of_model(torch.ones(4, 2), reward, EXPLODED, EXPLODED)


def changed(transform: Any, step: Step, prediction: Prediction) -> Step:
    """The step as a transform leaves it that looks at nothing but the step and the prediction."""
    n = len(step.reward)
    result: Step = transform(torch.zeros(n, 2), torch.zeros(n, 1), step, prediction, torch.Generator())
    return result
