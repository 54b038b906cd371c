"""`PlannerSettings`: what every planner can be told, and `SamplingSettings` for those that sample plans."""

from dataclasses import dataclass

from offline_envs.errors import SettingsError
from offline_envs.planning.objective import PROPAGATIONS, TS_INF
from offline_envs.settings import JsonSettings


@dataclass(frozen=True)
class PlannerSettings(JsonSettings):
    """How far a planner looks ahead. A subclass declares what its planner can be told besides.

    Attributes:
        horizon: Steps of a plan, H; 25 in most tasks of Chua et al. 2018 (PETS), 30 in HalfCheetah.
        discount: γ; a reward t steps ahead counts γ^t. The papers' planners do not discount.

    Raises:
        SettingsError: A horizon below 1, or a discount outside (0, 1].
    """

    horizon: int = 25
    discount: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "horizon")
        if not 0 < self.discount <= 1:
            raise SettingsError(f"discount must be above 0 and at most 1, got {self.discount:g}.")

    def at_least(self, low: float, *names: str) -> None:
        """Refuse settings below a bound.

        Raises:
            SettingsError: One of them is.
        """
        for name in names:
            if getattr(self, name) < low:
                raise SettingsError(f"{name} must be at least {low:g}, got {getattr(self, name):g}.")


@dataclass(frozen=True)
class SamplingSettings(PlannerSettings):
    """Settings of a planner that samples candidate plans and evaluates each by particles.

    Attributes:
        candidates: Plans that are evaluated together, N.
        particles: Imagined episodes of each plan, P, see `Objective`.
        propagation: Which member a particle follows, see `Objective`.

    Raises:
        SettingsError: A number below 1, or an unknown propagation.
    """

    candidates: int = 500
    particles: int = 20
    propagation: str = TS_INF

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "candidates", "particles")
        PROPAGATIONS.find(self.propagation)
