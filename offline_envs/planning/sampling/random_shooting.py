"""`RandomShooting`: the best of many uniform plans."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from offline_envs.planning.planner import Decision
from offline_envs.planning.sampling.base import SamplingPlanner, best
from offline_envs.planning.settings import PlannerSettings, SamplingSettings


@dataclass(frozen=True)
class RandomShootingSettings(SamplingSettings):
    """As many candidates as CEM has in all its iterations (the baseline of Chua et al. 2018)."""

    candidates: int = 2500


class RandomShooting(SamplingPlanner):
    """Takes the first action of the best of many plans of uniform actions.

    Nagabandi et al. 2018 (MBMF), section IV-C. Nothing is carried over to the next decision.
    """

    settings_type: ClassVar[type[PlannerSettings]] = RandomShootingSettings
    settings: RandomShootingSettings

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        """See `Planner`."""
        last = memory[:, 0]
        share = self.uniform(len(obs), self.settings.candidates, *last.shape[1:])
        plans = self.with_proposals(obs, self.low + share * (self.high - self.low), last)
        found = best(plans, self.values(obs, plans), 1)
        return Decision(found[:, 0, 0], found)
