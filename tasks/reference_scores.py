"""Reference returns of random and expert policies, and the normalised score based on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import overload

import numpy as np
from numpy.typing import NDArray

from offline_envs.errors import unknown_name


@dataclass(frozen=True)
class ReferenceScore:
    """The two returns between which a score is placed.

    Attributes:
        random: Undiscounted return that scores 0, of a policy drawing uniform actions.
        expert: Undiscounted return that scores 100.
        source: Where the two come from and for which version they hold; to be printed beside a score.
    """

    random: float
    expert: float
    source: str


@overload
def normalized_score(env_id: str, returns: float | np.floating) -> float: ...


@overload
def normalized_score(env_id: str, returns: NDArray[np.floating] | Sequence[float]) -> NDArray[np.float64]: ...


def normalized_score(
    env_id: str, returns: float | np.floating | NDArray[np.floating] | Sequence[float]
) -> float | NDArray[np.float64]:
    """Place returns on the scale where a random policy has 0 and an expert 100.

    `100 * (return - random) / (expert - random)`, the score of D4RL (Fu et al. 2020). Only for returns and
    their means: a standard deviation is scaled by `100 / (expert - random)` without the offset.

    Args:
        env_id: Exact id of the real environment, e.g. `"Hopper-v5"`.
        returns: Undiscounted returns of full episodes, a number, or an array, sequence or tensor of them.

    Returns:
        A float for a number, else a float64 array of the same shape.

    Raises:
        SettingsError: If the environment has no reference scores; the message lists those that have.
    """
    reference = reference_score(env_id)
    if reference is None:
        raise unknown_name("environment with reference scores", env_id, REFERENCE_SCORES)
    values = np.asarray(returns, dtype=np.float64)
    scores = 100.0 * (values - reference.random) / (reference.expert - reference.random)
    return float(scores) if scores.ndim == 0 and not isinstance(returns, np.ndarray) else scores


def reference_score(env_id: str) -> ReferenceScore | None:
    """Find the reference returns of an environment by its exact id, or `None` where there are none."""
    return REFERENCE_SCORES.get(env_id)


def _d4rl(version: str, random: float, expert: float) -> ReferenceScore:
    """Constants of D4RL's `infos.py`, which datasets v0, v1 and v2 share."""
    source = f"D4RL v0-v2 constants, measured in Gym v2 environments; nominal for {version}"
    return ReferenceScore(random, expert, source)


_MEASURED = (
    "random: mean of 10 000 episodes of uniform actions, {spread}, reset seeds 0 to 9999, "
    "action_space.seed(0), Gymnasium 1.4.0, MuJoCo 4.0.0; expert: {expert}"
)

_D4RL_CONSTANTS = {
    "HalfCheetah": (-280.178953, 12135.0),
    "Hopper": (-20.272305, 3234.3),
    "Walker2d": (1.629008, 4592.3),
    "Ant": (-325.6, 3879.7),
}

REFERENCE_SCORES: Mapping[str, ReferenceScore] = MappingProxyType(
    {
        **{
            f"{name}-{version}": _d4rl(version, random, expert)
            for name, (random, expert) in _D4RL_CONSTANTS.items()
            for version in ("v4", "v5")
        },
        "InvertedPendulum-v5": ReferenceScore(
            random=5.08,
            expert=1000.0,
            source=_MEASURED.format(
                spread="5.08 +- 0.03 (standard error)",
                expert="the most attainable, reward 1 in each of 1000 steps",
            ),
        ),
        # The tip is at most 1.2 m high, so (y - 2)^2 costs at least 0.64 of each step's reward of 10.
        "InvertedDoublePendulum-v5": ReferenceScore(
            random=47.5,
            expert=9360.0,
            source=_MEASURED.format(
                spread="47.5 +- 0.2 (standard error)",
                expert="upper bound, 1000 steps at rest upright on the centre, 10 - 0.8**2 each; "
                "a linear-quadratic regulator averages 9359.9 over reset seeds 0 to 99",
            ),
        ),
    }
)
"""Exact environment id → its reference returns."""
