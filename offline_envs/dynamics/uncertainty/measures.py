"""Measures of the uncertainty of a prediction: pure functions from `Prediction` to `(B,)`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.dynamics.prediction import DELTA, Prediction
from offline_envs.registry import Registry


@dataclass(frozen=True)
class Measure:
    """A measure of uncertainty, and the predictions for which it is not zero everywhere.

    Attributes:
        function: From the predictions of N members for B pairs to one non-negative number a pair, `(B,)`.
        needs_variance: Whether members have to predict a variance.
        compares_members: Whether it needs at least two members.
    """

    function: Callable[[Prediction], Tensor]
    needs_variance: bool = False
    compares_members: bool = False

    def __call__(self, prediction: Prediction) -> Tensor:
        """Uncertainty of each pair, `(B,)`."""
        return self.function(prediction)

    def is_informative(self, n_members: int, *, probabilistic: bool) -> bool:
        """Whether the measure can differ from zero.

        Args:
            n_members: Number of members that are measured.
            probabilistic: Whether they predict a variance.
        """
        return (probabilistic or not self.needs_variance) and (n_members > 1 or not self.compares_members)


def max_std(prediction: Prediction) -> Tensor:
    """Largest norm of the predicted standard deviation: max_i ‖σ_i(s, a)‖₂.

    Yu et al. 2020 (MOPO), section 4.3. The paper writes the Frobenius norm of the covariance; its release,
    and this function, take the norm of the deviations over next observation and reward, in raw units.
    """
    norms: Tensor = torch.linalg.vector_norm(prediction.std, dim=-1)
    return norms.amax(dim=0)


def max_deviation(prediction: Prediction) -> Tensor:
    """Largest distance of a member's mean from the members' average: max_i ‖μ_i − (1/N) Σ_j μ_j‖₂.

    The "ensemble penalty" in the ablation study of Yu et al. 2020 (MOPO), on the next observation only;
    OfflineRL-Kit calls it "pairwise-diff".
    """
    mean = prediction.mean[..., DELTA]
    distances: Tensor = torch.linalg.vector_norm(mean - mean.mean(dim=0), dim=-1)
    return distances.amax(dim=0)


def ensemble_std(prediction: Prediction) -> Tensor:
    """Spread of the members' means: √( (1/d) Σ_j Var_i[μ_ij] ), on the next observation only.

    Compared with the others by Lu et al. 2022, "Revisiting design choices in offline model-based RL". The
    variance divides by N, as in OfflineRL-Kit.
    """
    return spread(prediction.mean[..., DELTA])


def max_disagreement(prediction: Prediction) -> Tensor:
    """Largest distance between the means of two members: max_{i,j} ‖μ_i(s, a) − μ_j(s, a)‖₂.

    Kidambi et al. 2020 (MOReL), section 4, on the next observation only, in raw units; as a penalty it is
    soft where MOReL halts. `max_deviation` measures the distance from the members' average instead of the
    distance between two of them, so it is between half of this number and this number.
    """
    return largest_distance(prediction.mean[..., DELTA])


def spread(points: Tensor) -> Tensor:
    """Root of the mean over dimensions of the variance of N points, divided by N: `(N, B, d)` to `(B,)`."""
    return points.var(dim=0, correction=0).mean(dim=-1).sqrt()


def largest_distance(points: Tensor) -> Tensor:
    """Largest Euclidean distance between two of N points: `(N, B, d)` to `(B,)`, 0 for a single point."""
    largest = points.new_zeros(points.shape[1])
    for shift in range(1, len(points) // 2 + 1):  # on a ring of N points every pair is at most N // 2 apart
        distances = torch.linalg.vector_norm(points - points.roll(shift, dims=0), dim=-1)
        largest = torch.maximum(largest, distances.amax(dim=0))
    return largest


MEASURES: Registry[Measure] = Registry(
    "penalty",
    {
        "max_std": Measure(max_std, needs_variance=True),
        "max_deviation": Measure(max_deviation, compares_members=True),
        "max_disagreement": Measure(max_disagreement, compares_members=True),
        "ensemble_std": Measure(ensemble_std, compares_members=True),
    },
)
"""Every measure by the name that the `penalty` setting takes."""


def measure(name: str) -> Measure:
    """Return the measure of that name.

    Raises:
        SettingsError: No measure has the name.
    """
    return MEASURES.find(name)
