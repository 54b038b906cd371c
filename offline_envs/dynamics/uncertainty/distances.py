"""`DISAGREEMENTS`: how far the members' means are apart, the measures that a threshold is compared with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from offline_envs.dynamics.prediction import DELTA, Prediction
from offline_envs.dynamics.uncertainty.measures import largest_distance, spread
from offline_envs.registry import Registry


@dataclass(frozen=True)
class Disagreement:
    """How far the means of N members are apart.

    Attributes:
        distance: From the means of the compared outputs, `(N, B, m)`, to one non-negative number a pair,
            `(B,)`.
        outputs: The outputs of a member that are compared, of (reward, next_obs − obs).
        formula: What it computes, for reports.
    """

    distance: Callable[[Tensor], Tensor]
    outputs: slice
    formula: str

    def __call__(self, prediction: Prediction, scale: Tensor) -> Tensor:
        """Disagreement of each pair, `(B,)`, in units of `scale`, `(m,)`, one of each compared output."""
        return self.distance(prediction.mean[..., self.outputs] / scale)


MAX_DISTANCE = "max_distance"
"""The default disagreement, that of Kidambi et al. 2020 (MOReL), section 4."""

OWN_DISAGREEMENTS: Mapping[str, Disagreement] = MappingProxyType(
    {
        MAX_DISTANCE: Disagreement(largest_distance, DELTA, "max ‖μ_i − μ_j‖"),
        # NEUBAY, arXiv 2512.04341: the reward counts like a dimension of the observation.
        "std": Disagreement(spread, slice(None), "√(mean over outputs of Var_i[μ_i])"),
    }
)
"""Those of this package, whose names mean the same in every process."""

DISAGREEMENTS: Registry[Disagreement] = Registry("disagreement", OWN_DISAGREEMENTS)
"""Every disagreement by the name that the `disagreement` setting takes."""
