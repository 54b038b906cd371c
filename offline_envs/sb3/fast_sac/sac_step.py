"""`SACStep`: one gradient step of Soft Actor-Critic as in Stable-Baselines3."""

from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.kernels import FlatAdam, StackedMLP
from offline_envs.sb3.fast_sac.squashed_gaussian import SquashedSample, heads_gradient, squashed_sample
from offline_envs.sb3.fast_sac.temperature import FixedTemperature, LearnedTemperature


class SACBatch(NamedTuple):
    """The inputs of a gradient step."""

    obs: Tensor
    """As the networks see them, `(B, d)`."""
    action: Tensor
    """In [−1, 1], `(B, k)`."""
    next_obs: Tensor
    """`(B, d)`."""
    reward: Tensor
    """`(B, 1)`."""
    discount: Tensor
    """Factor of the next value, 0 where the MDP ended, `(B, 1)`."""
    noise: Tensor
    """Standard normal, for the actions at `obs`, then for those at `next_obs`, `(2B, k)`."""
    real: Tensor
    """1 for rows that are known to come from a dataset, 0 for the others, `(B, 1)`."""


class SACParts(NamedTuple):
    """The networks and optimizers that a gradient step changes, and its random numbers."""

    actor: StackedMLP
    """One network from obs to means and log-deviations of actions, `2k` outputs."""
    actor_adam: FlatAdam
    critics: StackedMLP
    """Networks from obs and action to a value."""
    critic_adam: FlatAdam
    targets: StackedMLP
    temperature: FixedTemperature | LearnedTemperature
    generator: torch.Generator
    """Random numbers beside the batch's `noise`. Soft Actor-Critic needs none."""
    entropy_backup: bool = True
    """Whether the targets' values include the entropy of the policy at the next observation."""
    averaged_actor: StackedMLP | None = None
    """An average of the actor's weights, if there is to be one."""


Losses = dict[str, Tensor]
"""Scalars of one step to be logged, or their means over several, by name."""


class SACStep:
    """Soft Actor-Critic's gradient step with all gradients written out (Haarnoja et al. 2018b, algorithm 1).

    It computes what `stable_baselines3.SAC.train` does, up to rounding. It never waits for the device, and
    autograd is off.

    A subclass with another loss of the critics overrides `_target` or `_learn_critics`, one that uses their
    values otherwise `_next_value` or `_followed`. What it draws comes
    from `generator`, what it wants logged goes into `further`. So that the step can be captured as a CUDA
    graph, it does not wait for the device, and its numbers and the tensors that it reads stay the same.

    Args:
        parts: What it changes.

    Attributes:
        further: Further scalars of the current step to be logged, by name.
    """

    def __init__(self, parts: SACParts) -> None:
        self.actor, self.critics, self.targets = parts.actor, parts.critics, parts.targets
        self.temperature, self.generator = parts.temperature, parts.generator
        self.entropy_backup, self.averaged_actor = parts.entropy_backup, parts.averaged_actor
        self.actor_adam, self.critic_adam = parts.actor_adam, parts.critic_adam
        self.adams = [parts.actor_adam, parts.critic_adam]
        if isinstance(parts.temperature, LearnedTemperature):
            self.adams.append(parts.temperature.adam)
        self.further: Losses = {}

    def gather(self) -> None:
        """Read current weights and optimizer states; to be called before steps."""
        self.targets.flat.gather()
        if self.averaged_actor is not None:
            self.averaged_actor.flat.gather()
        for adam in self.adams:
            adam.gather()

    def count(self, n_steps: int) -> None:
        """Tell the optimizers how many steps were taken since `gather`."""
        for adam in self.adams:
            adam.count(n_steps)

    def __call__(self, batch: SACBatch) -> Losses:
        """Change temperature, critics and actor; the targets stay.

        Args:
            batch: The batch.
        """
        n = len(batch.obs)
        self.further = {}
        # No network changes before both are needed, so one pass gives the actions at obs and at next_obs.
        values = self.actor.forward(torch.cat([batch.obs, batch.next_obs])[None])
        sample = squashed_sample(values[-1][0], batch.noise)
        now = sample.first(n)
        alpha, alpha_loss = self.temperature.learn(now.log_prob)
        target = self._target(batch, sample.action[n:], sample.log_prob[n:], alpha)
        critic_loss = self._learn_critics(batch, values[-1][0], target)
        actor_loss = self._learn_actor(batch.obs, [value[:, :n] for value in values], now, alpha)
        losses = {"ent_coef": alpha, "ent_coef_loss": alpha_loss, "critic_loss": critic_loss}
        return losses | {"actor_loss": actor_loss} | self.further

    def follow(self, tau: float) -> None:
        """Move the targets towards the critics: θ̄ ← (1 − τ) θ̄ + τ θ."""
        self.targets.flat.values.lerp_(self.critics.flat.values, tau)

    def average(self, decay: float) -> None:
        """Move the averaged actor, if any, towards the actor: θ̄ ← δ θ̄ + (1 − δ) θ.

        Args:
            decay: δ.
        """
        if self.averaged_actor is not None:
            self.averaged_actor.flat.values.lerp_(self.actor.flat.values, 1 - decay)

    def _target(self, batch: SACBatch, action: Tensor, log_prob: Tensor, alpha: Tensor) -> Tensor:
        """Compute r + γ (1 − done) (min_j Q̄_j(s′, a′) − α log π(a′|s′)), `(B, 1)`; perhaps without log π."""
        value = self._next_value(self.targets.forward(torch.cat([batch.next_obs, action], dim=1)[None])[-1])
        if self.entropy_backup:
            value = torch.addcmul(value, alpha, log_prob, value=-1)
        return torch.addcmul(batch.reward, batch.discount, value)

    def _learn_critics(self, batch: SACBatch, heads: Tensor, target: Tensor) -> Tensor:
        """Step along the gradient of ½ Σ_j mean (Q_j − target)².

        Args:
            batch: The batch.
            heads: The actor's outputs at `obs`, then at `next_obs`, `(2B, 2k)`, for `squashed_sample`.
            target: `(B, 1)`.

        Returns:
            The loss before the step, a scalar.
        """
        values = self.critics.forward(torch.cat([batch.obs, batch.action], dim=1)[None])
        error = values[-1] - target
        self.critics.backward(values, error / len(target))
        self.critic_adam.update()
        return 0.5 * (error * error).sum() / len(target)

    def _learn_actor(
        self, obs: Tensor, values: list[Tensor], sample: SquashedSample, alpha: Tensor
    ) -> Tensor:
        """Step along the gradient of mean (α log π − Q), where Q is what `_followed` makes of the critics."""
        n = len(obs)
        critic_values = self.critics.forward(torch.cat([obs, sample.action], dim=1)[None])
        followed, by_value = self._followed(critic_values[-1])
        grad = by_value.div_(-n)
        action_grad = self.critics.input_gradient(critic_values, grad, first_column=obs.shape[1]).sum(0)
        self.actor.backward(values, heads_gradient(sample, action_grad, alpha / n)[None])
        self.actor_adam.update()
        return (alpha * sample.log_prob - followed).mean()

    def _next_value(self, values: Tensor) -> Tensor:
        """Value of the next pair of observation and action from those of the target critics.

        Args:
            values: `(N, B, 1)`.

        Returns:
            `(B, 1)`.
        """
        return values.amin(0)

    def _followed(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """What the actor maximises, from the critics' values `(N, B, 1)`.

        Returns:
            It, `(B, 1)`; and its derivative by each value, `(N, B, 1)`.
        """
        smallest, member = values.min(dim=0, keepdim=True)
        return smallest[0], torch.zeros_like(values).scatter_(0, member, 1.0)
