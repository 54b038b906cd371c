"""`MBOP`: model-based offline planning around a policy (Argenson and Dulac-Arnold 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.planning.planner import Decision
from offline_envs.planning.sampling.base import SamplingPlanner
from offline_envs.planning.sampling.mppi import weighted_mean
from offline_envs.planning.settings import PlannerSettings, SamplingSettings

NO_PRIOR = "MBOP plans around a policy: give prior=, e.g. one cloned from the data."


@dataclass(frozen=True)
class MBOPSettings(SamplingSettings):
    """Settings of MBOP. The paper tunes all of them for each task.

    Attributes:
        mixing: β, the share of the last plan in each proposed action.
        temperature: 1/κ, in units of return, see `MPPISettings`.

    Raises:
        SettingsError: A number out of range.
    """

    candidates: int = 100
    mixing: float = 0.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.mixing < 1:
            raise SettingsError(f"mixing must be 0 or more and below 1, got {self.mixing:g}.")
        if self.temperature <= 0:
            raise SettingsError(f"temperature must be above 0, got {self.temperature:g}.")


class MBOP(SamplingPlanner):
    """Averages what a policy does in the model by w ∝ exp(return / temperature).

    Argenson and Dulac-Arnold 2021, algorithm 2: all candidates are imagined actions of a policy cloned from
    the data, with noise, mixed with the last plan. The paper ends a plan with a value fitted to the data's
    returns (`terminal_value`). There, candidates are evaluated by the steps that made them; here by particles
    of their own, as with every planner.

    Args:
        args: See `SamplingPlanner`.
        kwargs: See `SamplingPlanner`; `prior` is needed, and its share has no effect.

    Raises:
        SettingsError: There is no prior.
    """

    settings_type: ClassVar[type[PlannerSettings]] = MBOPSettings
    settings: MBOPSettings

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.prior is None:
            raise SettingsError(NO_PRIOR)

    @classmethod
    def chosen(cls, settings: Mapping[str, Any]) -> PlannerSettings:
        """See `SamplingPlanner`; without a prior the settings are not valid."""
        found = super().chosen(settings)
        if not cls.builds_on(settings):
            raise SettingsError(NO_PRIOR)
        return found

    @classmethod
    def builds_on(cls, settings: Mapping[str, Any]) -> str:
        """See `Planner`: the prior, which is needed."""
        return super().builds_on(settings) or ""

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        """See `Planner`."""
        last, own = memory[:, 0], self.settings
        plans = self.proposals(obs, own.candidates, last, mixing=own.mixing)
        mean = weighted_mean(plans, self.values(obs, plans), own.temperature)
        return Decision(mean[:, 0], mean[:, None])
