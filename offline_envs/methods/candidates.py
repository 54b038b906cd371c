"""`CandidateSampler`: of several samples of the elites, the one that a score prefers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.dynamics import DELTA, Prediction
from offline_envs.mdp import Members
from offline_envs.registry import Registry

Score = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From observations `(B, d)`, actions `(B, k)` and successors `(B, d)` to one number a step, `(B,)`."""

Choose = Callable[[Tensor, Tensor, float], Tensor]
"""From scores `(B, C)`, uniform numbers in [0, 1) `(B,)` and a temperature to an index, int64 `(B,)`."""


def softmax(scores: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Choose candidate c with the probability exp(score_c / temperature) / Σ_j exp(score_j / temperature)."""
    passed = (scores / temperature).softmax(dim=1).cumsum(dim=1)
    # The last sum may be a little below 1, or below a uniform number that rounds to 1.
    return (passed <= uniform[:, None]).sum(dim=1).clamp(max=scores.shape[1] - 1)


def argmax(scores: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Choose the candidate of the highest score."""
    del uniform, temperature  # Unused.
    return scores.argmax(dim=1)


SELECTIONS: Registry[Choose] = Registry("selection", {"softmax": softmax, "argmax": argmax})
"""Every way to choose a candidate by the name that `selection` takes."""


@dataclass(frozen=True)
class CandidateSampler:
    """Draws `n_samples` of each elite's Gaussian, for all outputs alike, and chooses one by their scores.

    Luo et al. 2024 (MOREC), section 4. Candidates that are not finite come last; if none is, the prediction
    is rejected like any other, see `Guard`.

    The random numbers of a batch of n rows have n·E·`n_samples`·(1 + d) entries, 720 bytes a row with ten
    candidates of 17 dimensions.

    Attributes:
        score: What is preferred, e.g. a dynamics reward.
        elites: Positions of the E elites among the evaluated members, int64 `(E,)`.
        n_samples: Candidates of each elite.
        choose: See `SELECTIONS`.
        temperature: Of the choice, in units of the score.
    """

    score: Score
    elites: Tensor
    n_samples: int
    choose: Choose
    temperature: float

    def begin(self, n: int, members: Members, generator: torch.Generator) -> Tensor | None:
        """Nothing is kept."""
        del n, members, generator  # Unused.
        return None

    def draw(
        self, n: int, members: Members, generator: torch.Generator, kept: Tensor | None
    ) -> tuple[Tensor, ...]:
        """Standard normal numbers of each candidate, `(n, C, 1 + d)`, and uniform ones, `(n,)`."""
        del kept  # Unused.
        device, n_candidates = self.elites.device, len(self.elites) * self.n_samples
        shape = (n, n_candidates, 1 + members.model.obs_dim)
        noise = torch.randn(shape, generator=generator, device=device)
        return noise, torch.rand(n, generator=generator, device=device)

    def __call__(
        self,
        obs: Tensor,
        action: Tensor,
        prediction: Prediction,
        drawn: tuple[Tensor, ...],
        generator: torch.Generator,
    ) -> Tensor:
        """See `Sampler`."""
        del generator  # Unused.
        noise, uniform = drawn
        candidates = self.candidates(prediction, noise)
        n_rows, n_candidates, _ = candidates.shape
        next_obs = obs[:, None] + candidates[..., DELTA]
        states, actions = (part.repeat_interleave(n_candidates, dim=0) for part in (obs, action))
        scores = self.score(states, actions, next_obs.flatten(0, 1)).view(n_rows, n_candidates)
        scores = scores.masked_fill(~candidates.isfinite().all(dim=-1), -torch.inf)
        chosen = self.choose(scores, uniform, self.temperature)
        index = chosen[:, None, None].expand(-1, 1, candidates.shape[-1])
        return candidates.gather(1, index)[:, 0]

    def candidates(self, prediction: Prediction, noise: Tensor) -> Tensor:
        """The candidates μ + σ·noise of each row, those of an elite side by side, `(B, C, 1 + d)`."""
        own = prediction.members(self.elites)
        mean, std = (part.transpose(0, 1).repeat_interleave(self.n_samples, dim=1) for part in own)
        return torch.addcmul(mean, std, noise)
