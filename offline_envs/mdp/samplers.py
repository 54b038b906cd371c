"""Samplers: draw the next reward and observation from the members' predictions."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from offline_envs.dynamics import Prediction
from offline_envs.errors import unknown_name
from offline_envs.mdp.members import Members
from offline_envs.registry import Registry

Drawn = tuple[Tensor, ...]
"""Random numbers of a batch, one entry a row in each tensor."""


class Sampler(Protocol):
    """Chooses (reward, next_obs − obs) of each row from predictions.

    Random numbers are drawn for a whole batch in `draw`, so that they do not depend on the chunks in which
    the batch is then computed. What a row keeps for its episode comes from `begin`.
    """

    def begin(self, n: int, members: Members, generator: torch.Generator) -> Tensor | None:
        """Draw what each of `n` rows keeps for an episode, `(n, ...)`; None if there is nothing to keep."""

    def draw(self, n: int, members: Members, generator: torch.Generator, kept: Tensor | None) -> Drawn:
        """Draw the random numbers of a step.

        Args:
            n: Number of rows.
            members: The members that are evaluated.
            generator: Source of randomness, on the model's device.
            kept: What the rows keep, see `begin`; None where the caller follows no episodes.
        """

    def __call__(
        self, obs: Tensor, action: Tensor, prediction: Prediction, drawn: Drawn, generator: torch.Generator
    ) -> Tensor:
        """Choose the outcome of each row of a chunk.

        Args:
            obs: Observations, float32 `(B, d)`.
            action: Actions, float32 `(B, k)`.
            prediction: What the evaluated members predict, `(M, B, 1 + d)`.
            drawn: Rows of what `draw` gave.
            generator: Source of further randomness, e.g. for candidates to be scored.

        Returns:
            (reward, next_obs − obs), a fresh `(B, 1 + d)`.
        """


@runtime_checkable
class FollowsMember(Protocol):
    """A sampler that needs the prediction of one member for each row, so the others need not be computed."""

    def member_of(self, drawn: Drawn) -> Tensor:
        """Position of each row's member among those evaluated, int64 `(B,)`."""

    def outcome(self, own: Prediction, drawn: Drawn) -> Tensor:
        """The outcome from what each row's own member predicts, `(B, 1 + d)`."""


@dataclass(frozen=True)
class EliteSampler:
    """Each row follows one of the elites, and samples from that elite's Gaussian, for all outputs alike.

    Attributes:
        per_episode: Whether a row keeps its elite for an episode ("TS∞" of Chua et al. 2018, and MOReL's
            release) or draws another one at every step ("TS1", and Yu et al. 2020, algorithm 2).
    """

    per_episode: bool = False

    def begin(self, n: int, members: Members, generator: torch.Generator) -> Tensor | None:
        """The position of each row's elite among the elites, int64 `(n,)`, if it is kept."""
        return _draw_elites(n, members, generator) if self.per_episode else None

    def draw(self, n: int, members: Members, generator: torch.Generator, kept: Tensor | None) -> Drawn:
        """Position of each row's member, int64 `(n,)`, and standard normal numbers, `(n, 1 + d)`."""
        elite = _draw_elites(n, members, generator) if kept is None else kept
        shape = (n, 1 + members.model.obs_dim)
        noise = torch.randn(shape, generator=generator, device=members.elites.device)
        return members.elites.index_select(0, elite), noise

    def __call__(
        self, obs: Tensor, action: Tensor, prediction: Prediction, drawn: Drawn, generator: torch.Generator
    ) -> Tensor:
        """See `Sampler`."""
        del obs, action, generator  # Unused.
        return self.outcome(prediction.own(self.member_of(drawn)), drawn)

    def member_of(self, drawn: Drawn) -> Tensor:
        """See `FollowsMember`."""
        return drawn[0]

    def outcome(self, own: Prediction, drawn: Drawn) -> Tensor:
        """μ + σ·noise, see `FollowsMember`."""
        return torch.addcmul(own.mean, own.std, drawn[1])


@dataclass(frozen=True)
class MeanSampler:
    """No randomness: the mean of the elites' means ("E" of Chua et al. 2018).

    Attributes:
        elites: Positions of the elites among the evaluated members, int64 `(E,)`.
    """

    elites: Tensor

    def begin(self, n: int, members: Members, generator: torch.Generator) -> Tensor | None:
        """Nothing is kept."""
        del n, members, generator  # Unused.
        return None

    def draw(self, n: int, members: Members, generator: torch.Generator, kept: Tensor | None) -> Drawn:
        """Nothing is drawn."""
        del n, members, generator, kept  # Unused.
        return ()

    def __call__(
        self, obs: Tensor, action: Tensor, prediction: Prediction, drawn: Drawn, generator: torch.Generator
    ) -> Tensor:
        """See `Sampler`."""
        del obs, action, drawn, generator  # Unused.
        return prediction.members(self.elites).mean.mean(dim=0)


SAMPLERS: Registry[Sampler] = Registry(
    "member", {"step": EliteSampler(), "episode": EliteSampler(per_episode=True)}
)
"""Every sampler by the name that the `member` setting takes."""


def find_sampler(member: str | Sampler) -> Sampler:
    """The sampler of the `member` setting: a name in `SAMPLERS`, or a sampler itself.

    Raises:
        SettingsError: No sampler has the name.
    """
    if isinstance(member, str):
        return SAMPLERS.find(member)
    if not callable(member) or not hasattr(member, "draw"):
        raise unknown_name("member", member, (*SAMPLERS, "a Sampler"))
    return member


def _draw_elites(n: int, members: Members, generator: torch.Generator) -> Tensor:
    return torch.randint(len(members.elites), (n,), generator=generator, device=members.elites.device)
