"""`Rollouts`: imagined episodes of a policy, whose steps carry the gradient of their probability."""

from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.adversary.agent_view import AgentView
from offline_envs.adversary.losses import mixture_log_prob
from offline_envs.adversary.settings import AdversarySettings
from offline_envs.dynamics import EnsembleDynamics, Prediction
from offline_envs.mdp import LearnedMDP, StartStates


class Imagined(NamedTuple):
    """One imagined step of B episodes."""

    obs: Tensor  # (B, d)
    action: Tensor  # (B, k)
    reward: Tensor  # (B,)
    next_obs: Tensor  # (B, d)
    terminated: Tensor  # (B,), also where the prediction exploded
    exploded: Tensor  # (B,)
    log_prob: Tensor  # (B,), of the elites' mixture, with gradients


class Rollouts:
    """Episodes of at most `horizon` steps from states of the dataset, side by side.

    Each step draws one of the elites a row and a sample from its Gaussian, as the environment does.

    Args:
        mdp: The model, its termination rule and its guard.
        starts: States that episodes begin at.
        settings: Number of episodes and horizon.

    Attributes:
        obs: Current observations of the episodes, `(B, d)`.
        age: Steps since all of them restarted.
    """

    def __init__(self, mdp: LearnedMDP, starts: StartStates, settings: AdversarySettings) -> None:
        self._mdp, self._starts, self._settings = mdp, starts, settings
        self.obs = torch.zeros(settings.batch_size, starts.obs.shape[1], device=starts.obs.device)
        self.age = 0

    def step(self, agent: AgentView, generator: torch.Generator) -> Imagined:
        """Advance all episodes by one step; they restart together at the horizon."""
        obs = self.obs if self.age else self._starts.draw(len(self.obs), generator)
        with torch.no_grad():
            action = agent.act(obs)
        mean, logvar = self._elites(obs, action)
        target = _draw(mean.detach(), logvar.detach(), generator)
        step = self._mdp.conclude(obs, action, target.clone())
        # An exploded target may be NaN, and NaN times a weight of zero is NaN.
        log_prob = mixture_log_prob(mean, logvar, target.masked_fill(step.exploded[:, None], 0.0))
        again = step.terminated[:, None] & self._settings.restart_ended
        self.obs = torch.where(again, self._starts.draw(len(obs), generator), step.next_obs)
        self.age = (self.age + 1) % self._settings.horizon
        return Imagined(obs, action, step.reward, step.next_obs, step.terminated, step.exploded, log_prob)

    def _elites(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of every elite, `(E, B, 1 + d)` each, with gradients."""
        ensemble = self._mdp.members.model
        assert isinstance(ensemble, EnsembleDynamics)  # checked by the adversary
        inputs = ensemble.normalizer(torch.cat([obs, action], dim=-1))
        mean, logvar = ensemble(inputs.expand(ensemble.n_members, -1, -1))
        return mean[ensemble.elites], logvar[ensemble.elites]


def _draw(mean: Tensor, logvar: Tensor, generator: torch.Generator) -> Tensor:
    """A sample of (reward, next_obs − obs) from one member a row, drawn uniformly, `(B, 1 + d)`."""
    n_members, n_rows, n_outputs = mean.shape
    member = torch.randint(n_members, (n_rows,), generator=generator, device=mean.device)
    noise = torch.randn((n_rows, n_outputs), generator=generator, device=mean.device)
    own = Prediction(mean, torch.exp(0.5 * logvar)).own(member)
    return torch.addcmul(own.mean, own.std, noise)
