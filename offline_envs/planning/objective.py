"""`Objective`: the return that a learned MDP gives to candidate plans, with particles."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.mdp import LearnedMDP, Step
from offline_envs.registry import Registry

TerminalValue = Callable[[Tensor], Tensor]
"""What is still to come after a plan: from observations `(B, d)` to values `(B,)`, in units of return."""

Keep = Callable[[LearnedMDP, int, int, torch.Generator], Tensor | None]
"""From an MDP, n candidates and P particles to what their rows keep for a plan, see `LearnedMDP.begin`."""

LOST = -1e9
"""Return of a particle whose prediction is rejected or whose reward is not a finite number.

The release of Chua et al. 2018 charges NaN a cost of 1e6. It has to be far below every other return, also
where rewards are negative: an explosion ends the episode, which would otherwise be the cheapest way out. As
the particles' mean is taken, plans are compared by their share of lost particles first.
"""

ROWS = 1_000_000
"""Imagined episodes that are held at a time, unless a single observation has more."""


def draw_anew(mdp: LearnedMDP, n: int, particles: int, generator: torch.Generator) -> None:
    """TS1: nothing is kept, so each particle draws a member at every step (Chua et al. 2018, section 5)."""
    del mdp, n, particles, generator  # Unused.


def share_out(mdp: LearnedMDP, n: int, particles: int, generator: torch.Generator) -> Tensor | None:
    """TS∞: particle p keeps elite p mod E for all of a plan (Chua et al. 2018, section 5, and its release).

    So every candidate meets the same elites, each equally often if their number divides that of the
    particles. A sampler that does not follow one elite keeps what it would in an episode.
    """
    elites = mdp.members.elites
    elite = torch.arange(particles, device=elites.device) % len(elites)
    return mdp.begin_in(elite.repeat(n), generator)


TS_1, TS_INF, MEAN = "ts1", "tsinf", "mean"

PROPAGATIONS: Registry[Keep] = Registry("propagation", {TS_1: draw_anew, TS_INF: share_out, MEAN: draw_anew})
"""What particles keep, by the name that `propagation` takes."""


def check_nothing_replayed(mdp: LearnedMDP) -> None:
    """Refuse an MDP that a planner cannot plan in.

    Raises:
        SettingsError: It replays recorded series.
    """
    if mdp.replay is not None:
        raise SettingsError(
            "A planner cannot plan where columns are replayed: it is given observations, not the row of the "
            "dataset that an episode follows. Leave the series out of known=."
        )


@dataclass(frozen=True)
class Objective:
    """The return of candidate plans: sums of rewards, on average over imagined episodes.

    The MDP's own method counts: MOPO's penalty is in the rewards, and where MOReL halts, its reward is the
    last one. After an end nothing is earned. A truncated episode, or one that reaches the horizon, earns the
    terminal value of where it stopped, if there is one.

    Attributes:
        mdp: The learned MDP.
        particles: Imagined episodes of each plan, P; one is as good as many for `"mean"`, so one is taken.
        propagation: `"ts1"` draws the elite that a particle follows at every step, `"tsinf"` once a plan;
            both sample from its Gaussian. `"mean"` takes the mean of the elites' means, without randomness.
        discount: γ, see `PlannerSettings`.
        terminal_value: What is still to come, or None for nothing.

    Raises:
        SettingsError: An unknown propagation, or an MDP that replays recorded series.
    """

    mdp: LearnedMDP
    particles: int = 20
    propagation: str = TS_INF
    discount: float = 1.0
    terminal_value: TerminalValue | None = None
    _keep: Keep = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keep", PROPAGATIONS.find(self.propagation))
        check_nothing_replayed(self.mdp)
        if self.propagation == MEAN:
            object.__setattr__(self, "particles", 1)
            object.__setattr__(self, "mdp", self.mdp.with_means())

    @torch.no_grad()
    def __call__(self, obs: Tensor, plans: Tensor, generator: torch.Generator) -> Tensor:
        """Evaluate the plans of a batch of observations.

        Args:
            obs: Where the plans begin, float32 `(B, d)`, on the model's device.
            plans: Actions of N plans each, in the environment's units, float32 `(B, N, H, k)`.
            generator: Source of randomness, on the same device.

        Returns:
            Return of each plan, float64 `(B, N)`: finite, or −∞ for a plan that is not finite itself.
        """
        n, size = len(obs), max(1, ROWS // (plans.shape[1] * self.particles))
        parts = (slice(start, start + size) for start in range(0, n, size))
        return torch.cat([self._evaluated(obs[part], plans[part], generator) for part in parts])

    def _evaluated(self, obs: Tensor, plans: Tensor, generator: torch.Generator) -> Tensor:
        n_obs, n_plans, horizon, _ = plans.shape
        n = n_obs * n_plans
        kept = self._keep(self.mdp, n, self.particles, generator)
        particles = Particles(obs.repeat_interleave(n_plans * self.particles, dim=0))
        for t in range(horizon):
            action = plans[:, :, t].reshape(n, 1, -1).expand(-1, self.particles, -1).flatten(0, 1)
            particles.take(self.mdp.step(particles.obs, action, generator, kept), self.discount**t)
        returns = particles.returns(self.terminal_value, self.discount)
        values = returns.view(n_obs, n_plans, self.particles).mean(dim=-1)
        return values.masked_fill(~plans.isfinite().flatten(2).all(dim=-1), -torch.inf)


class Particles:
    """Imagined episodes, each up to its end.

    Args:
        obs: Where they begin, `(B, d)`.

    Attributes:
        obs: Where they are, or were when they ended, `(B, d)`.
    """

    def __init__(self, obs: Tensor) -> None:
        self.obs = obs
        flags = torch.zeros(len(obs), dtype=torch.bool, device=obs.device)
        self._ended, self._terminated, self._lost = flags, flags, flags
        self._total = torch.zeros(len(obs), dtype=torch.float64, device=obs.device)
        self._length = torch.zeros_like(self._total)

    def take(self, step: Step, weight: float) -> None:
        """Count a step of those that have not ended, and move on.

        Args:
            step: The step of all rows.
            weight: γ^t.
        """
        going = ~self._ended
        self._total += torch.where(going, weight * step.reward, 0.0)
        self._length += going
        self.obs = torch.where(going[:, None], step.next_obs, self.obs)
        self._lost = self._lost | going & (step.exploded | ~step.reward.isfinite())
        self._terminated = self._terminated | going & step.terminated
        self._ended = self._ended | step.terminated | step.truncated

    def returns(self, terminal_value: TerminalValue | None, discount: float) -> Tensor:
        """Return of each, with the value of where it stopped unless that is a terminal state, `(B,)`."""
        total = self._total
        if terminal_value is not None:
            worth = discount**self._length * terminal_value(self.obs).double()
            total = total + torch.where(self._terminated, 0.0, worth)
        return torch.where(self._lost | ~total.isfinite(), LOST, total)
