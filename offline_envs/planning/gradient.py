"""`GradientPlanner`: plans that climb the gradient of the return through the mean model."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.planning.planner import Decision, Planner
from offline_envs.planning.problem import Problem, follow_plans, problem_of
from offline_envs.planning.settings import PlannerSettings


@dataclass(frozen=True)
class GradientSettings(PlannerSettings):
    """Settings of `GradientPlanner`.

    Attributes:
        candidates: Plans that climb side by side: the last one, shifted, the middle of the bounds, and others
            drawn uniformly within them.
        steps: Steps of Adam of a decision.
        learning_rate: Largest step of Adam, in half ranges of an action; it falls to zero along a cosine.

    Raises:
        SettingsError: A number below 1, or a learning rate that is not positive.
    """

    candidates: int = 8
    steps: int = 40
    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "candidates", "steps")
        if not self.learning_rate > 0:
            raise SettingsError(f"learning_rate must be positive, got {self.learning_rate:g}.")


class GradientPlanner(Planner):
    """Plans by Adam through the mean model, from several starts.

    As iLQR it follows the mean of the elites' means and needs a model with gradients, but first ones only.
    Actions are clipped to their bounds after every step (projected gradients), so that optima on the bounds
    are reached, where a squashed parametrisation has no gradient left. The best plan that was seen is kept; a
    plan whose prediction explodes has no gradient and waits.
    """

    settings_type = GradientSettings
    settings: GradientSettings

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        """See `Planner`."""
        settings = self.settings
        problem = problem_of(self)
        begun = self._begun(memory[:, 0])
        found, value = climb(
            problem,
            obs.repeat_interleave(settings.candidates, dim=0),
            begun.flatten(0, 1),
            steps=settings.steps,
            learning_rate=settings.learning_rate,
        )
        best = value.view(len(obs), -1).argmax(dim=1)
        plan = found.view_as(begun)[torch.arange(len(obs), device=best.device), best]
        return Decision(plan[:, 0], plan[:, None])

    def _begun(self, plan: Tensor) -> Tensor:
        """Plans to climb from, `(n, N, H, k)`, the given ones `(n, H, k)` first."""
        shape = (len(plan), self.settings.candidates, *plan.shape[1:])
        uniform = torch.rand(shape, generator=self.generator, device=plan.device)
        begun = self.low + (self.high - self.low) * uniform
        begun[:, 1:2] = self.middle
        begun[:, 0] = plan
        return begun


def climb(
    problem: Problem, obs: Tensor, plans: Tensor, *, steps: int, learning_rate: float
) -> tuple[Tensor, Tensor]:
    """Improve each plan by Adam, with a cosine of the learning rate, within the bounds.

    Args:
        problem: What is maximised.
        obs: Where the plans begin, `(B, d)`.
        plans: Where they climb from, `(B, H, k)`.
        steps: Number of steps.
        learning_rate: Largest step, in half ranges of an action.

    Returns:
        The best plan of each row that was seen, `(B, H, k)`, and its return, float64 `(B,)`.
    """
    half = (problem.high - problem.low) / 2
    best, best_value = plans, torch.full((len(plans),), -math.inf, dtype=torch.float64, device=plans.device)
    # In half ranges, so that a step of Adam is as large in each action.
    scaled = ((plans - problem.low) / half).detach().clone()
    optimizer = torch.optim.Adam([scaled], maximize=True)
    for step in range(steps + 1):
        scaled.requires_grad_()
        with torch.enable_grad():
            plans = problem.low + half * scaled
            value = follow_plans(problem, obs, plans).value
            total = value.sum()  # of rows that have nothing to do with each other
        better = value.detach() > best_value
        best_value = torch.where(better, value.detach(), best_value)
        best = torch.where(better[:, None, None], plans.detach(), best)
        if step == steps:
            break
        (gradient,) = torch.autograd.grad(total, scaled)
        scaled.grad = gradient.nan_to_num_(0.0, 0.0, 0.0)
        optimizer.param_groups[0]["lr"] = learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.step()
        scaled.requires_grad_(False).clamp_(0.0, 2.0)
    return best, best_value
