"""`Forecast`: a model run open loop along given actions, and its baselines."""

from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from offline_envs.diagnose.ground_truth import Windows
from offline_envs.evaluation import DataScale
from offline_envs.mdp import LearnedMDP, ModelWorld, follow, keep_all
from offline_envs.policies import RecordedActions


@dataclass(frozen=True)
class Forecast:
    """Predicted observations and rewards over the steps of some windows.

    Attributes:
        obs: Observations after each step, `(n, h, d)`.
        rewards: Rewards, `(n, h)`.
    """

    obs: Tensor
    rewards: Tensor


def sampled_forecast(mdp: LearnedMDP, windows: Windows, generator: torch.Generator) -> Forecast:
    """Follow the windows' actions as a learned environment does: sample a random elite's Gaussian a step."""
    return _forecast(mdp, windows, generator)


def mean_forecast(mdp: LearnedMDP, windows: Windows) -> Forecast:
    """Follow the windows' actions without noise: the mean of the elites' means at each step."""
    generator = torch.Generator(mdp.members.elites.device)  # unused: nothing is random
    return _forecast(mdp.without_transform().with_means(), windows, generator)


def _forecast(mdp: LearnedMDP, windows: Windows, generator: torch.Generator) -> Forecast:
    world = ModelWorld(mdp, windows.obs[:, 0].to(generator.device), generator, further=keep_all)
    steps = islice(follow(RecordedActions(windows.actions), world), windows.actions.shape[1])
    return _stacked([(f.step.next_obs.cpu(), f.step.raw_reward.cpu()) for f in steps])


def no_change(windows: Windows, scale: DataScale) -> Forecast:
    """Predict constant observations and the dataset's mean reward: the baseline that a model must beat."""
    obs = windows.obs[:, :1].expand(-1, windows.actions.shape[1], -1)
    return Forecast(obs, torch.full_like(windows.rewards, scale.reward_mean))


def window_forecast(windows: Windows) -> Forecast:
    """Use other windows from the same states as a forecast."""
    return Forecast(windows.obs[:, 1:], windows.rewards)


def _stacked(parts: list[tuple[Tensor, Tensor]]) -> Forecast:
    obs, rewards = zip(*parts, strict=True)
    return Forecast(torch.stack(obs, dim=1), torch.stack(rewards, dim=1))
