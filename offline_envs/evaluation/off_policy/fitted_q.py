"""Fitted Q evaluation: the value of a policy by regression on recorded steps (Le et al. 2019)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.bootstrap import Bootstrap
from offline_envs.evaluation.off_policy.episodes import check_gamma
from offline_envs.evaluation.off_policy.estimate import Estimate
from offline_envs.evaluation.off_policy.networks import Networks, check_sizes
from offline_envs.evaluation.scale import DataScale
from offline_envs.policies import Policy
from offline_envs.settings import JsonSettings, check_seed

CHUNK = 10_000
"""Rows whose actions or values are computed together, which bounds the memory."""


@dataclass(frozen=True)
class FittedQSettings(JsonSettings):
    """How a Q-function is fitted.

    Attributes:
        gamma: Discount γ, below 1.
        gradient_steps: Gradient steps.
        target_every: Gradient steps between copies of the critics to the target networks: the regression of
            Le et al. (2019) is not repeated from new weights but continued, as d3rlpy does.
            Values spread by one step of the MDP a copy: `gradient_steps / target_every` copies should be
            several times 1 / (1 − γ).
        batch_size: Rows of a gradient step.
        learning_rate: Adam's step size.
        hidden: Units of each hidden layer; none for a linear Q-function.
        n_critics: Critics that are fitted side by side, each to its own targets.
        seed: Seed of initial weights and batches.

    Raises:
        SettingsError: A number out of range.
    """

    gamma: float = 0.99
    gradient_steps: int = 50_000
    target_every: int = 100
    batch_size: int = 256
    learning_rate: float = 3e-4
    hidden: tuple[int, ...] = (256, 256)
    n_critics: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes(
            self.hidden,
            gradient_steps=self.gradient_steps,
            target_every=self.target_every,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            n_critics=self.n_critics,
        )
        check_gamma(self.gamma)
        if self.gamma == 1:
            raise SettingsError(
                "gamma must be below 1: fitted Q evaluation has no horizon that ends the sum."
            )
        check_seed(self.seed)


class FittedQ:
    """Q̂(s, a) of a policy, until the MDP ends, on the CPU; see `fit_q`.

    Args:
        transitions: The dataset.
        settings: The settings of the fit.
        generator: Source of the initial weights.

    Attributes:
        gamma: Discount γ.
    """

    def __init__(
        self, transitions: Transitions, settings: FittedQSettings, generator: torch.Generator
    ) -> None:
        widths = (transitions.obs_dim + transitions.action_dim, *settings.hidden, 1)
        self.critics, self.targets = (
            Networks(widths, settings.n_critics, learning_rate=settings.learning_rate, generator=generator)
            for _ in range(2)
        )
        self.gamma = settings.gamma
        self._scale = DataScale.of(transitions)
        std, self._action_mean = torch.std_mean(transitions.actions, dim=0, correction=0)
        self._action_std = torch.where(std < 1e-6, 1.0, std)
        self.low, self.high = value_range(transitions.rewards, settings.gamma)
        self.unit = max(abs(self.low), abs(self.high)) or 1.0

    def inputs(self, obs: Tensor, actions: Tensor) -> Tensor:
        """Standardised inputs of the critics, `(B, d + k)`."""
        action = (actions - self._action_mean) / self._action_std
        return torch.cat([self._scale.standardized(obs), action], dim=1)

    def each(self, obs: Tensor, actions: Tensor) -> Tensor:
        """Q̂ by each critic, float32 `(n_critics, n)`."""
        chunks = zip(torch.split(obs, CHUNK), torch.split(actions, CHUNK), strict=True)
        found = [self.critics.outputs(self.inputs(o, a))[:, :, 0] for o, a in chunks]
        return self.unit * torch.cat(found, dim=1)

    def __call__(self, obs: Tensor, actions: Tensor) -> Tensor:
        """Mean of the critics' Q̂ for observations `(n, d)` and actions `(n, k)`, `(n,)`."""
        return self.each(obs, actions).mean(0)


def fit_q(
    transitions: Transitions,
    policy: Policy,
    settings: FittedQSettings | None = None,
    *,
    on_step: Callable[[int], None] | None = None,
) -> FittedQ:
    """Fit the Q-function of a policy to a dataset.

    Each target is r + γ (1 − terminated) Q̄(s′, π(s′)), cut to what a discounted sum of rewards within the
    dataset's range can be, so that a fit that would diverge stays finite. A step at which an episode was only
    cut is bootstrapped like any other. The policy's actions are asked for once.

    Args:
        transitions: The dataset.
        policy: The policy; a random one's actions are one draw.
        settings: The fit; None means the defaults.
        on_step: Called after each gradient step with their number, e.g. to show progress.
    """
    settings = settings or FittedQSettings()
    generator = torch.Generator().manual_seed(settings.seed)
    q = FittedQ(transitions, settings, generator)
    q.targets.weights.values.copy_(q.critics.weights.values)
    inputs = q.inputs(transitions.obs, transitions.actions)
    next_inputs = q.inputs(transitions.next_obs, policy_actions(policy, transitions.next_obs))
    rewards = transitions.rewards / q.unit
    discounts = settings.gamma * (~transitions.terminated).float()
    low, high = q.low / q.unit, q.high / q.unit
    for step in range(1, settings.gradient_steps + 1):
        rows = torch.randint(len(inputs), (settings.batch_size,), generator=generator)
        after = q.targets.outputs(next_inputs[rows])[:, :, 0]
        target = torch.addcmul(rewards[rows], discounts[rows], after).clamp_(low, high)
        values = q.critics.mlp.forward(inputs[rows][None])
        error = values[-1] - target[:, :, None]
        q.critics.learn(values, error * (2 / settings.batch_size))
        if step % settings.target_every == 0:
            q.targets.weights.values.copy_(q.critics.weights.values)
        if on_step is not None:
            on_step(step)
    return q


def fitted_q_estimate(
    q: FittedQ, transitions: Transitions, policy: Policy, *, bootstrap: Bootstrap | None = None
) -> Estimate:
    """The value E Q̂(s₀, π(s₀)) over the dataset's initial observations, discounted and until the MDP ends.

    The interval is a bootstrap over initial observations alone: it says nothing of the error of the fit, of
    which the distance between the critics (`members`) gives an idea.

    Args:
        q: The Q-function.
        transitions: The dataset.
        policy: The policy.
        bootstrap: How the interval is made; None means the defaults.
    """
    return estimate_of_values(initial_values(q, transitions, policy), gamma=q.gamma, bootstrap=bootstrap)


def initial_values(q: FittedQ, transitions: Transitions, policy: Policy) -> Tensor:
    """Q̂(s₀, π(s₀)) by each critic for each initial observation, float64 `(n_critics, e)`."""
    obs = transitions.initial_obs
    return q.each(obs, policy_actions(policy, obs)).double()


def estimate_of_values(each: Tensor, *, gamma: float, bootstrap: Bootstrap | None = None) -> Estimate:
    """The estimate of `fitted_q_estimate` from the result of `initial_values`."""
    interval = (bootstrap or Bootstrap()).of_mean(each.mean(0))
    return Estimate(float(each.mean()), interval, gamma, None, members=tuple(each.mean(1).tolist()))


def policy_actions(policy: Policy, obs: Tensor) -> Tensor:
    """A policy's actions for many observations, `(n, k)`, asked for in chunks without gradients."""
    with torch.no_grad():
        return torch.cat([policy(chunk).float() for chunk in torch.split(obs, CHUNK)])


def value_range(rewards: Tensor, gamma: float) -> tuple[float, float]:
    """Smallest and largest discounted sum of such rewards, over any number of steps."""
    low, high = float(rewards.min()), float(rewards.max())
    return min(low, 0.0) / (1 - gamma), max(high, 0.0) / (1 - gamma)
