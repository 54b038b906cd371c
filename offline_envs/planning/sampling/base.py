"""`SamplingPlanner`: base of planners that evaluate candidate plans, and the choice of the best."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.mdp import LearnedMDP
from offline_envs.planning.objective import Objective, TerminalValue
from offline_envs.planning.planner import Planner
from offline_envs.planning.sampling.prior import PRIOR, Prior, followed, prior_fields
from offline_envs.planning.settings import PlannerSettings, SamplingSettings
from offline_envs.policies import ActsIn, as_policy


class SamplingPlanner(Planner):
    """A planner that samples candidate plans and evaluates them by particles.

    Args:
        mdp: See `Planner`.
        action_space: See `Planner`.
        settings: See `Planner`.
        seed: See `Planner`.
        terminal_value: See `Objective`.
        prior: A policy that proposes candidates, or None.

    Attributes:
        objective: The return of candidates.
        prior: See above.
        half: Half the range of each action, `(k,)`.
    """

    settings_type: ClassVar[type[PlannerSettings]] = SamplingSettings
    settings: SamplingSettings

    def __init__(
        self,
        mdp: LearnedMDP,
        action_space: Box,
        settings: PlannerSettings | None = None,
        *,
        seed: int = 0,
        terminal_value: TerminalValue | None = None,
        prior: Prior | None = None,
    ) -> None:
        super().__init__(mdp, action_space, settings, seed=seed, terminal_value=terminal_value)
        own = self.settings
        self.objective = Objective(mdp, own.particles, own.propagation, own.discount, terminal_value)
        self.prior = prior
        self.half = (self.high - self.low) / 2

    @classmethod
    def chosen(cls, settings: Mapping[str, Any]) -> PlannerSettings:
        """See `Planner`; `prior` names a policy; `prior_share`, `prior_std` are the rest of it."""
        prior_fields(settings)
        return super().chosen({name: v for name, v in settings.items() if not name.startswith(PRIOR)})

    @classmethod
    def builds_on(cls, settings: Mapping[str, Any]) -> str | None:
        """See `Planner`: the prior."""
        return prior_fields(settings)[0]

    @classmethod
    def from_settings(cls, where: ActsIn, settings: Mapping[str, Any]) -> Self:
        """See `Planner`; the prior is made by `where.load`."""
        policy, fields = prior_fields(settings)
        prior = None
        if policy is not None:
            if where.load is None:
                raise SettingsError(f"prior={policy} cannot be loaded here. Give prior=Prior(policy).")
            prior = Prior(as_policy(where.load(policy)), **fields)
        return cls(where.mdp, where.box(), cls.chosen(settings), seed=where.seed, prior=prior)

    def values(self, obs: Tensor, plans: Tensor) -> Tensor:
        """Return of each plan, float64 `(n, N)`, see `Objective`."""
        return self.objective(obs, plans, self.generator)

    def bounded(self, plans: Tensor) -> Tensor:
        """The plans with every action within the bounds."""
        return plans.clamp(self.low, self.high)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.device)

    def with_proposals(self, obs: Tensor, plans: Tensor, last: Tensor) -> Tensor:
        """Add the plans that the prior proposes, if there is one.

        Args:
            obs: Observations, `(n, d)`.
            plans: Candidates so far, `(n, N, H, k)`.
            last: The last plan, `(n, H, k)`.
        """
        if self.prior is None:
            return plans
        count = max(1, round(self.prior.share * self.settings.candidates))
        return torch.cat([plans, self.proposals(obs, count, last)], dim=1)

    def proposals(self, obs: Tensor, count: int, last: Tensor, *, mixing: float = 0.0) -> Tensor:
        """What the prior does in the model, `(n, count, H, k)`; see `followed`."""
        assert self.prior is not None
        bounds = (self.low, self.high)
        return followed(self.prior, self.mdp, obs, count, last, bounds, self.generator, mixing=mixing)


def best(plans: Tensor, values: Tensor, k: int) -> Tensor:
    """The k plans of the highest value, the best first, `(n, k, H, a)` of `(n, N, H, a)`."""
    index = values.topk(k, dim=1).indices
    return plans.gather(1, index[:, :, None, None].expand(-1, -1, *plans.shape[2:]))
