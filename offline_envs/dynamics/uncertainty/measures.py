"""Measures of how unsure an ensemble is of a prediction: pure functions from `Prediction` to `(B,)`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from offline_envs.dynamics.prediction import DELTA, Prediction
from offline_envs.errors import unknown_name

Measure = Callable[[Prediction], Tensor]
"""From the predictions of N members for B pairs to one non-negative number a pair, `(B,)`."""


def max_std(prediction: Prediction) -> Tensor:
    """Largest norm of the predicted standard deviation: max_i ‖σ_i(s, a)‖₂.

    Yu et al. 2020 (MOPO), section 4.3. The paper writes the Frobenius norm of the covariance; its release,
    and this function, take the norm of the deviations over next observation and reward, in raw units.
    """
    norms: Tensor = torch.linalg.vector_norm(prediction.std, dim=-1)
    return norms.amax(dim=0)


def max_deviation(prediction: Prediction) -> Tensor:
    """Largest distance of a member's mean from the members' average: max_i ‖μ_i − (1/N) Σ_j μ_j‖₂.

    The "ensemble penalty" in the ablation study of Yu et al. 2020 (MOPO), on the next observation alone;
    OfflineRL-Kit calls it "pairwise-diff".
    """
    mean = prediction.mean[..., DELTA]
    distances: Tensor = torch.linalg.vector_norm(mean - mean.mean(dim=0), dim=-1)
    return distances.amax(dim=0)


def ensemble_std(prediction: Prediction) -> Tensor:
    """Spread of the members' means: √( (1/d) Σ_j Var_i[μ_ij] ), on the next observation alone.

    Compared with the others by Lu et al. 2022, "Revisiting design choices in offline model-based RL". The
    variance divides by N, as in OfflineRL-Kit.
    """
    return prediction.mean[..., DELTA].var(dim=0, correction=0).mean(dim=-1).sqrt()


def max_disagreement(prediction: Prediction) -> Tensor:
    """Largest distance between the means of two members: max_{i,j} ‖μ_i(s, a) − μ_j(s, a)‖₂.

    Kidambi et al. 2020 (MOReL), section 4, on the next observation alone, in raw units; as a penalty it is
    soft where MOReL halts. `max_deviation` measures the distance from the members' average instead of the
    distance between two of them, so it lies between a half and once this number.
    """
    return largest_distance(prediction.mean[..., DELTA])


def largest_distance(points: Tensor) -> Tensor:
    """Largest Euclidean distance between two of N points: `(N, B, d)` to `(B,)`, 0 for a single point."""
    largest = points.new_zeros(points.shape[1])
    for shift in range(1, len(points) // 2 + 1):  # every pair of N points on a ring is at most N // 2 apart
        distances = torch.linalg.vector_norm(points - points.roll(shift, dims=0), dim=-1)
        largest = torch.maximum(largest, distances.amax(dim=0))
    return largest


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "max_std": max_std,
        "max_deviation": max_deviation,
        "max_disagreement": max_disagreement,
        "ensemble_std": ensemble_std,
    }
)
"""Every measure by the name that the `penalty` setting of an environment takes."""


def measure(name: str) -> Measure:
    """The measure of that name.

    Raises:
        SettingsError: No measure has the name.
    """
    if name not in MEASURES:
        raise unknown_name("penalty", name, MEASURES)
    return MEASURES[name]
