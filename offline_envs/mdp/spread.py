"""`SpreadSampler`: any sampler, on predictions whose spread about their mean is scaled."""

from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.dynamics import Prediction, scaled_spread
from offline_envs.mdp.members import Members
from offline_envs.mdp.samplers import Drawn, EliteSampler, Sampler


@dataclass(frozen=True)
class SpreadSampler:
    """Lets a sampler choose from predictions that are scaled about the mean of the elites' means.

    What a method reads, such as a penalty, is the model's own prediction. Every elite is evaluated in each
    row, since the mean needs them all.

    Attributes:
        sampler: The sampler.
        factor: See `scaled_spread`.
        elites: Positions of the elites among the evaluated members, int64 `(E,)`.
    """

    sampler: Sampler
    factor: float
    elites: Tensor

    def begin(self, n: int, members: Members, generator: torch.Generator) -> Tensor | None:
        """See `Sampler`; what the sampler keeps."""
        return self.sampler.begin(n, members, generator)

    def draw(self, n: int, members: Members, generator: torch.Generator, kept: Tensor | None) -> Drawn:
        """See `Sampler`; what the sampler draws."""
        return self.sampler.draw(n, members, generator, kept)

    def __call__(
        self, obs: Tensor, action: Tensor, prediction: Prediction, drawn: Drawn, generator: torch.Generator
    ) -> Tensor:
        """See `Sampler`."""
        scaled = scaled_spread(prediction, self.factor, self.elites)
        return self.sampler(obs, action, scaled, drawn, generator)


def follows_elites(sampler: Sampler) -> bool:
    """Whether a row follows the elite that it keeps, whatever the spread about its mean."""
    return isinstance(sampler.sampler if isinstance(sampler, SpreadSampler) else sampler, EliteSampler)


def with_spread(sampler: Sampler, factor: float, members: Members) -> Sampler:
    """The sampler with a factor on the spread of its predictions; at 1 the sampler itself."""
    return sampler if factor == 1 else SpreadSampler(sampler, factor, members.elites)
