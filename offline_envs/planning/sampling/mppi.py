"""`MPPI`: plans averaged with the weights of their exponentiated returns (Williams et al. 2017)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.planning.planner import Decision
from offline_envs.planning.sampling.base import SamplingPlanner
from offline_envs.planning.settings import PlannerSettings, SamplingSettings


@dataclass(frozen=True)
class MPPISettings(SamplingSettings):
    """Settings of MPPI. The papers tune temperature, noise and smoothing for each task.

    Attributes:
        iterations: Times that the plan is averaged.
        temperature: λ in units of return: a plan that is λ worse than another weighs 1/e of it.
        sigma: Deviation of the noise, in shares of half the range of each action.
        smoothing: Share of the noise of the step before, 1 − β of Nagabandi et al. 2019 (PDDM); 0 for white
            noise.

    Raises:
        SettingsError: A number out of range.
    """

    iterations: int = 5
    temperature: float = 1.0
    sigma: float = 0.5
    smoothing: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "iterations")
        if self.temperature <= 0 or self.sigma <= 0:
            raise SettingsError(
                f"temperature and sigma must be above 0, got {self.temperature:g} and {self.sigma:g}."
            )
        if not 0 <= self.smoothing < 1:
            raise SettingsError(f"smoothing must be 0 or more and below 1, got {self.smoothing:g}.")


class MPPI(SamplingPlanner):
    """Adds noise to the last plan, and averages the noisy plans by w ∝ exp(return / λ).

    Williams et al. 2017 (information-theoretic MPC), with the noise of Nagabandi et al. 2019 (PDDM), section
    3.3: n_t = β·u_t + (1 − β)·n_{t−1}. The paper's cost of the control itself is left out, as in PDDM: a
    reward counts actions if the task does.
    """

    settings_type: ClassVar[type[PlannerSettings]] = MPPISettings
    settings: MPPISettings

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        """See `Planner`."""
        mean = memory[:, 0]
        for iteration in range(self.settings.iterations):
            fresh = self.normal(len(mean), self.settings.candidates, *mean.shape[1:])
            noise = self.settings.sigma * self.half * smoothed(fresh, self.settings.smoothing)
            plans = self.bounded(mean[:, None] + noise)
            if iteration == 0:
                plans = self.with_proposals(obs, plans, mean)
            mean = weighted_mean(plans, self.values(obs, plans), self.settings.temperature)
        return Decision(mean[:, 0], mean[:, None])


def smoothed(noise: Tensor, share: float) -> Tensor:
    """n_t = (1 − share)·u_t + share·n_{t−1} along the steps of `(n, N, H, k)`, with n_{−1} = 0."""
    before, steps = torch.zeros_like(noise[:, :, 0]), []
    for fresh in noise.unbind(2):
        before = torch.lerp(fresh, before, share)
        steps.append(before)
    return torch.stack(steps, dim=2)


def weighted_mean(plans: Tensor, values: Tensor, temperature: float) -> Tensor:
    """Σ_i w_i·plan_i with w ∝ exp(value_i / temperature), `(n, H, k)`.

    Args:
        plans: Candidates, `(n, N, H, k)`.
        values: Their returns, finite, `(n, N)`.
        temperature: In units of return.
    """
    weights = (values / temperature).softmax(dim=1).to(plans.dtype)
    return torch.einsum("bn,bnhk->bhk", weights, plans)
