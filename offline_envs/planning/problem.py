"""`Problem`: what planners by gradients maximise, the return on the mean model; trajectories in it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.dynamics import with_gradients
from offline_envs.errors import SettingsError
from offline_envs.mdp import LearnedMDP, MeanSampler
from offline_envs.planning.objective import LOST, TerminalValue, check_nothing_replayed
from offline_envs.planning.planner import Planner


class Imagined(NamedTuple):
    """A step of N rows without randomness, through which gradients pass."""

    reward: Tensor  # (N,)
    next_obs: Tensor  # (N, d)
    terminated: Tensor  # (N,), bool
    truncated: Tensor  # (N,), bool
    lost: Tensor  # (N,), bool: the prediction was rejected, so that reward and successor say nothing


MeanModel = Callable[[Tensor, Tensor], Imagined]
"""From observations `(N, d)` and actions `(N, k)` to a step, by operations that autograd follows twice."""

Act = Callable[[int, Tensor], Tensor]
"""From the number of a step and observations `(B, d)` to actions `(B, k)`."""


def mean_model(mdp: LearnedMDP) -> MeanModel:
    """The steps of a learned MDP by the mean of the elites' means, with gradients.

    The MDP's method counts, with the gradient of what it subtracts from rewards. Ends have no gradients.

    Raises:
        SettingsError: The MDP replays recorded series, which a plan cannot know; in a step, the model has no
            gradients.
    """
    check_nothing_replayed(mdp)
    members = replace(mdp.members, predictor=with_gradients)
    smooth = replace(mdp, members=members, sampler=MeanSampler(members.elites))
    generator = torch.Generator(members.elites.device)

    def step(obs: Tensor, action: Tensor) -> Imagined:
        found = smooth.step(obs, action, generator)
        lost = found.exploded | ~found.reward.isfinite()
        return Imagined(found.reward, found.next_obs, found.terminated, found.truncated, lost)

    return step


@dataclass(frozen=True)
class Problem:
    """Finite-horizon optimal control: maximise Σ_t γ^t r(s_t, a_t) + γ^T V(s_T) within bounds of the actions.

    T is the horizon, or where an episode ends before: after an end nothing is earned, and a terminal state
    has no value, as in `Objective`.

    Attributes:
        model: The steps.
        low: Lower bounds of the actions, `(k,)`.
        high: Upper bounds.
        discount: γ.
        terminal_value: V, by operations that autograd follows twice; None for zero.
    """

    model: MeanModel
    low: Tensor
    high: Tensor
    discount: float = 1.0
    terminal_value: TerminalValue | None = None

    def clipped(self, action: Tensor) -> Tensor:
        """The nearest actions within the bounds."""
        return torch.minimum(torch.maximum(action, self.low), self.high)


class Trajectory(NamedTuple):
    """Plans of B rows that were followed for H steps."""

    obs: Tensor  # (H, B, d), where the actions were taken; after an end, where it ended
    action: Tensor  # (H, B, k)
    stop: Tensor  # (B, d), where the plan or the episode ended
    length: Tensor  # (B,), int64: steps up to there
    valued: Tensor  # (B,), bool: whether that is not a terminal state
    value: Tensor  # (B,), float64: the return, `LOST` where a prediction was rejected

    def rows(self, index: Tensor) -> "Trajectory":
        """Select rows, int64 `(M,)`."""
        obs, action, *rest = self
        return Trajectory(obs[:, index], action[:, index], *(field[index] for field in rest))


def roll_out(problem: Problem, obs: Tensor, act: Act, horizon: int) -> Trajectory:
    """Follow a rule of action through the model.

    Args:
        problem: The model and what it earns.
        obs: Where the rows begin, `(B, d)`.
        act: The rule; what it chooses is clipped to the bounds.
        horizon: Number of steps, H.
    """
    going = torch.ones(len(obs), dtype=torch.bool, device=obs.device)
    terminated = lost = ~going
    value = torch.zeros(len(obs), dtype=torch.float64, device=obs.device)
    length = torch.zeros(len(obs), dtype=torch.int64, device=obs.device)
    visited, actions = [], []
    for t in range(horizon):
        action = problem.clipped(act(t, obs))
        visited.append(obs)
        actions.append(action)
        step = problem.model(obs, action)
        value = value + torch.where(going, problem.discount**t * step.reward, 0.0)
        length = length + going
        obs = torch.where(going[:, None], step.next_obs, obs)
        lost = lost | going & step.lost
        terminated = terminated | going & step.terminated
        going = going & ~(step.terminated | step.truncated)
    if problem.terminal_value is not None:
        worth = problem.discount ** length.double() * problem.terminal_value(obs)
        value = value + torch.where(terminated, 0.0, worth)
    value = torch.where(lost | ~value.isfinite(), LOST, value)
    return Trajectory(torch.stack(visited), torch.stack(actions), obs, length, ~terminated, value)


def follow_plans(problem: Problem, obs: Tensor, plans: Tensor) -> Trajectory:
    """Follow plans `(B, H, k)` from observations `(B, d)`, whatever comes."""
    return roll_out(problem, obs, lambda t, _: plans[:, t], plans.shape[1])


def problem_of(planner: Planner) -> Problem:
    """What a planner maximises, on the mean of its MDP.

    Raises:
        SettingsError: The MDP replays recorded series, or the terminal value gives no gradients.
    """
    if planner.terminal_value is not None:
        obs = torch.zeros(1, planner.mdp.members.model.obs_dim, device=planner.device, requires_grad=True)
        with torch.enable_grad():
            value = planner.terminal_value(obs)
        if not value.requires_grad:
            raise SettingsError(
                f"{type(planner).__name__} follows derivatives, and terminal_value gives no gradients. Of an "
                "agent of Stable-Baselines3, SB3ActorCritic(agent).smooth_state_value does."
            )
    model, discount = mean_model(planner.mdp), planner.settings.discount
    return Problem(model, planner.low, planner.high, discount, planner.terminal_value)
