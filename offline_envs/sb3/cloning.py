"""`BehaviorCloner`: fit the policy of any Stable-Baselines3 agent to a dataset's actions."""

import math
from typing import Any

import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from offline_envs.data import DatasetSource, Transitions, from_one_hot
from offline_envs.errors import SettingsError
from offline_envs.sb3.averaging import ActsByAverage
from offline_envs.sb3.buffers.rows import (
    check_actions,
    check_box,
    check_same_actions,
    flat_size,
    model_columns,
    scale_action,
)
from offline_envs.sb3.clone_losses import (
    CLONE_LOSSES,
    check_clonable,
    negative_log_likelihood,
    share_of_other_choices,
    squared_distance,
)
from offline_envs.settings import check_arguments, check_seed
from offline_envs.tasks import Task, task_transitions

HOLDOUT_SHARE = 0.05
"""Share of the dataset kept out of the fit, on which the error is measured."""

CHUNK = 10_000
"""Rows whose error is computed per call, which bounds the memory."""


class BehaviorCloner:
    """Supervised learning of a policy from the actions of a dataset.

    By default it minimises the squared distance of the deterministic action, as MOReL's release does at the
    start (Kidambi et al. 2020); sampled actions keep the spread of a new policy, which for SAC is more than
    half of the range. With `loss="likelihood"` it maximises the likelihood of the data's actions, as RAMBO's
    release does (Rigter et al. 2022), so that the spread becomes that of the data. On its own it is the
    baseline BC.

    Discrete actions have no distance: with either loss they are fitted by their likelihood, which is the
    cross-entropy. The policy must give them probabilities, as those of TRPO, PPO and A2C do.

    Distances are in the units of the policy's output: [−1, 1] where it squashes its actions (SAC, TD3, TQC,
    CrossQ), else the environment's.

    Args:
        agent: The agent, whose policy is changed in place; any SB3 agent of continuous actions, and one of
            discrete ones whose policy gives probabilities.
        dataset: Anything that `offline_envs.data.load_transitions` accepts.
        batch_size: Rows of a gradient step.
        learning_rate: Adam's step size.
        loss: `"mean"`, the squared distance of the deterministic action, or `"likelihood"`, which also fits
            the spread of sampled actions and needs a policy that has one: any but those of TD3 and DDPG.
        seed: Seed of the holdout and of the batches.
        holdout: Rows of the dataset that are kept out of the fit and on which the error is measured, int64
            `(h,)`; None draws a twentieth.
        env_id: Environment of the data, where their metadata do not name it.
        task: Task that the agent is for. Its reward is not used, but it may have fewer observation dimensions
            than the data.

    Attributes:
        gradient_steps: Gradient steps taken so far.

    Raises:
        SettingsError: A number that is not positive, a single step, an unknown loss or one that the policy
            does not have, spaces that are not those of the dataset, or a holdout that is no part of it.

    Example:
        >>> from stable_baselines3 import SAC
        >>> demo = "offline-envs/inverteddoublependulum-replay-v0"
        >>> agent = SAC("MlpPolicy", "InvertedDoublePendulum-v5", device="cpu", seed=0)
        >>> cloner = BehaviorCloner(agent, demo)
        >>> before = cloner.error()
        >>> cloner.train(20)
        >>> cloner.error() < before
        True
    """

    @check_arguments
    def __init__(
        self,
        agent: BaseAlgorithm,
        dataset: DatasetSource,
        *,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        loss: str = "mean",
        seed: int = 0,
        holdout: Tensor | None = None,
        env_id: str | EnvSpec | None = None,
        task: str | Task | None = None,
    ) -> None:
        if batch_size < 1 or not learning_rate > 0:
            raise SettingsError(
                f"batch_size and learning_rate must be positive, got {batch_size} and {learning_rate}."
            )
        check_seed(seed)
        check_clonable(agent.policy, loss)
        transitions = task_transitions(dataset, task, env_id=env_id)
        if len(transitions) < 2:
            raise SettingsError(
                f"Cloning needs at least 2 steps, one to measure the error on, got {len(transitions)}."
            )
        self.gradient_steps = 0
        self._policy: BasePolicy = agent.policy
        self._generator = torch.Generator().manual_seed(seed)
        obs, action = transitions.obs.to(agent.device), _targets(agent, transitions).to(agent.device)
        drawn = draw_holdout(len(obs), self._generator) if holdout is None else _split(len(obs), holdout)
        self._holdout, self._train = (rows.to(agent.device) for rows in drawn)
        self._obs, self._action, self._batch_size = obs, action, batch_size
        continuous = isinstance(agent.action_space, Box)
        self._loss = CLONE_LOSSES[loss] if continuous else negative_log_likelihood
        self._distance = squared_distance if continuous else share_of_other_choices
        self._optimizer = torch.optim.Adam(self._policy.parameters(), lr=learning_rate)

    @property
    def steps_per_epoch(self) -> int:
        """Gradient steps that draw as many rows as the training set has."""
        return math.ceil(len(self._train) / self._batch_size)

    @check_arguments
    def train(self, gradient_steps: int) -> None:
        """Take gradient steps on rows drawn with replacement.

        What follows the policy is set to the result: the target actor of TD3 and DDPG, and the average of its
        weights that an agent with `actor_ema_decay` acts by once it has learned, which starts afresh.

        Args:
            gradient_steps: Number of gradient steps.

        Raises:
            SettingsError: A negative number.
        """
        if gradient_steps < 0:
            raise SettingsError(f"gradient_steps must be 0 or more, got {gradient_steps}.")
        self._policy.set_training_mode(True)
        for _ in range(gradient_steps):
            draw = torch.randint(len(self._train), (self._batch_size,), generator=self._generator)
            rows = self._train[draw.to(self._train.device)]
            loss = self._loss(self._policy, self._obs[rows], self._action[rows]).mean()
            self._optimizer.zero_grad()
            torch.autograd.backward(loss)
            self._optimizer.step()
        self._policy.set_training_mode(False)
        self.gradient_steps += gradient_steps
        if gradient_steps:
            _let_others_follow(self._policy)

    @torch.no_grad()
    def error(self) -> float:
        """Mean squared distance on the holdout, per action dimension, in the policy's own units.

        Of discrete actions, the share of choices on the holdout that the deterministic policy does not take.
        """
        self._policy.set_training_mode(False)
        chunks = torch.split(self._holdout, CHUNK)
        distances = [self._distance(self._policy, self._obs[rows], self._action[rows]) for rows in chunks]
        return float(torch.cat(distances).mean())


def draw_holdout(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Split `n` rows at random into a holdout, of at least one, and the others; int64 `(h,)`, `(n − h,)`."""
    order = torch.randperm(n, generator=generator)
    n_holdout = max(1, int(HOLDOUT_SHARE * n))
    return order[:n_holdout], order[n_holdout:]


def _split(n: int, holdout: Tensor) -> tuple[Tensor, Tensor]:
    """A given holdout of `n` rows, and the others."""
    holdout, rows = holdout.cpu(), torch.arange(n)
    others = rows[~torch.isin(rows, holdout)]
    if not 0 < len(holdout) == n - len(others) < n:
        raise SettingsError(
            f"holdout must name some of the {n} rows of the dataset, each once, and not all, got {holdout}."
        )
    return holdout, others


def _let_others_follow(policy: Any) -> None:
    """Set what was copied from a policy's weights to those that it has now."""
    if hasattr(policy, "actor_target"):  # TD3 and DDPG choose next actions with a second actor
        policy.actor_target.load_state_dict(policy.actor.state_dict())
    if isinstance(policy, ActsByAverage) and policy.has_average:  # else the old one would still act
        policy.start_average()


def _targets(agent: BaseAlgorithm, transitions: Transitions) -> Tensor:
    """The dataset's actions in the units of the policy's output, `(n, k)`; discrete ones as integers."""
    obs_space = check_box("observation", agent.observation_space)
    action_space = check_actions(agent.action_space)
    found = (flat_size(obs_space), model_columns(action_space))
    if found != (transitions.obs_dim, transitions.action_dim):
        raise SettingsError(
            f"The agent's environment must have the dimensions of the dataset, obs {transitions.obs_dim} and "
            f"action {transitions.action_dim}; it has obs {found[0]} and action {found[1]}."
        )
    check_same_actions(transitions, action_space)
    if not isinstance(action_space, Box):
        return from_one_hot(action_space, transitions.actions)
    policy: Any = agent.policy
    return scale_action(transitions.actions, action_space) if policy.squash_output else transitions.actions
