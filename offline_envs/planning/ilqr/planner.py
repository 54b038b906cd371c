"""`ILQR`: a planner that improves one plan by second-order steps through the mean model."""

from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.planning.ilqr.forward_pass import either
from offline_envs.planning.ilqr.optimisation import optimise
from offline_envs.planning.planner import Decision, Planner
from offline_envs.planning.problem import Problem, Trajectory, follow_plans, problem_of
from offline_envs.planning.settings import PlannerSettings


@dataclass(frozen=True)
class ILQRSettings(PlannerSettings):
    """Settings of `ILQR`.

    Attributes:
        iterations: Pairs of backward and forward passes of a decision, at most. As the plan continues from
            decision to decision, few are enough.
        tolerance: Share of itself by which a return must rise for another iteration.
        damping: Regularisation μ of the first backward pass of a decision, in units of the curvature of the
            return by observations. It falls with every step that succeeds; a decision of few iterations does
            better with a small one.

    Raises:
        SettingsError: No iteration, or a negative number.
    """

    iterations: int = 10
    tolerance: float = 1e-6
    damping: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "iterations")
        self.at_least(0, "tolerance", "damping")


class ILQR(Planner):
    """Iterative linear-quadratic regulator as model-predictive control.

    Tassa, Erez and Todorov 2012, on the mean of the elites' means, which is smooth and without noise; limits
    of the actions by box-constrained quadratic programs as in Tassa, Mansard and Todorov 2014. Rewards may be
    learned, penalised or known, as long as PyTorch differentiates them twice. A plan begins from the better
    of the last one, shifted, and the middle of the bounds; every iteration makes it better or leaves it, so a
    prediction that explodes costs the improvement and nothing else.

    An end of an episode has no gradient: a plan that ends early sees what it earns until then, and the line
    search refuses steps that lose more by an earlier end than they gain.
    """

    settings_type = ILQRSettings
    settings: ILQRSettings

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        """See `Planner`."""
        settings = self.settings
        problem = problem_of(self)
        trajectory = optimise(
            problem,
            self._begun(problem, obs, memory[:, 0]),
            iterations=settings.iterations,
            tolerance=settings.tolerance,
            damping=settings.damping,
        )
        plan = trajectory.action.transpose(0, 1)
        return Decision(plan[:, 0], plan[:, None])

    def _begun(self, problem: Problem, obs: Tensor, plan: Tensor) -> Trajectory:
        """The better of a plan `(n, H, k)` and the middle of the bounds."""
        both = torch.cat([plan, self.middle.expand_as(plan)])
        found = follow_plans(problem, obs.repeat(2, 1), both)
        ours, theirs = (found.rows(rows) for rows in torch.arange(len(both), device=obs.device).chunk(2))
        return either(ours.value >= theirs.value, ours, theirs)
