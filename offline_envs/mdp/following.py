"""`follow`: step a policy through a model, a vector environment, or any other world."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, Self, TypeVar

import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.mdp.mdp import LearnedMDP
from offline_envs.mdp.starts import StartStates
from offline_envs.mdp.step import Step
from offline_envs.policies import Policy

Outcome = TypeVar("Outcome", covariant=True)


class World(Protocol[Outcome]):
    """Rows that a policy acts in: a bare model, a vector environment, an adversary's episodes."""

    @property
    def obs(self) -> Tensor:
        """Current observations, float32 `(n, d)`; no rows means that there is nothing left to follow."""

    def step(self, obs: Tensor, action: Tensor) -> Outcome:
        """Take a step from `obs`, which `obs` gave, with actions float32 `(n, k)`."""


def follow(policy: Policy, world: World[Outcome]) -> Iterator[Outcome]:
    """Let a policy act in a world for as long as there are rows; actions are computed without gradients.

    Args:
        policy: What acts. Its randomness is its own.
        world: Where it acts. It keeps its state, so that following it resumes where it was left.

    Yields:
        What the world returns of each step.

    Raises:
        SettingsError: The policy is no function, or returns something else than a tensor.
    """
    if not callable(policy):
        raise SettingsError(
            f"A policy must be a function of observations, got {type(policy).__name__}. What has the predict "
            "of Stable-Baselines3 becomes one by offline_envs.policies.as_policy."
        )
    while len(obs := world.obs):
        with torch.no_grad():
            chosen = policy(obs)
        if not isinstance(chosen, Tensor):
            raise SettingsError(f"A policy must return a tensor, got {type(chosen).__name__}.")
        yield world.step(obs, chosen.to(torch.float32, copy=True))  # the policy may write there again


class Starts(Protocol):
    """Anything that draws start observations."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw `n` observations, `(n, d)`."""


class Followed(NamedTuple):
    """A step of the rows that are still followed."""

    rows: Tensor  # (m,), their numbers among those that began, int64
    obs: Tensor  # (m, d)
    action: Tensor  # (m, k)
    step: Step


Continue = Callable[[Step], Tensor | slice]
"""Which rows of a step are followed further: their index, bool `(m,)`, or all of them."""


def drop_ended(step: Step) -> Tensor:
    """Follow the rows whose episode did not end."""
    return ~(step.terminated | step.truncated)


def keep_all(step: Step) -> slice:
    """Follow every row, also beyond the end of its episode."""
    del step  # Unused.
    return slice(None)


class ModelWorld:
    """A bare model: no time limit, and nothing restarts.

    Args:
        mdp: The learned MDP.
        obs: Where the rows start, `(n, d)`.
        generator: Source of randomness, on the model's device.
        further: Which rows are followed further, `drop_ended` or `keep_all`.
        dataset_rows: Rows of the dataset that they start from, int64 `(n,)`, where columns are replayed.
        kept: What each row keeps for its episode, as `LearnedMDP.begin` gives it; None draws at each step.

    Attributes:
        obs: Where the rows that are followed are, `(m, d)`.
        rows: Their numbers, int64 `(m,)`.
    """

    def __init__(
        self,
        mdp: LearnedMDP,
        obs: Tensor,
        generator: torch.Generator,
        *,
        further: Continue = drop_ended,
        dataset_rows: Tensor | None = None,
        kept: Tensor | None = None,
    ) -> None:
        self._mdp = mdp
        self._generator = generator
        self._further = further
        self._dataset_rows = dataset_rows
        self._kept = kept
        self.obs = obs
        self.rows = torch.arange(len(obs), device=obs.device)

    @classmethod
    def starting(cls, mdp: LearnedMDP, starts: Starts, n: int, generator: torch.Generator) -> Self:
        """Begin `n` episodes in states that are drawn, with their rows of the dataset if these are known."""
        if not isinstance(starts, StartStates):
            obs, rows = starts.draw(n, generator), None
        else:
            index = starts.draw_index(n, generator)
            obs, rows = starts.obs[index], starts.rows_of(index)
        return cls(mdp, obs, generator, dataset_rows=rows, kept=mdp.begin(n, generator))

    def step(self, obs: Tensor, action: Tensor) -> Followed:
        """Advance the rows, and drop those that are not followed further."""
        with torch.no_grad():  # a known function may be a network
            step = self._mdp.step(obs, action, self._generator, self._kept, self._dataset_rows)
        followed = Followed(self.rows, obs, action, step)
        further = self._further(step)
        self.obs = step.next_obs[further]
        self.rows = self.rows[further]
        if self._kept is not None:
            self._kept = self._kept[further]
        if self._dataset_rows is not None and self._mdp.replay is not None:
            self._dataset_rows = self._mdp.replay.following(self._dataset_rows)[further]
        return followed
