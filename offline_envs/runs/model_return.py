"""The return that a model predicts for a policy: whole episodes imagined from the data's first states."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.envs import LearnedMDP
from offline_envs.sb3.evaluation import Predictor


class Starts(Protocol):
    """Anything that draws start observations."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw `n` observations, `(n, d)`."""


def model_return(
    mdp: LearnedMDP, starts: Starts, policy: Predictor, *, n_episodes: int, max_steps: int, seed: int
) -> NDArray[np.float64]:
    """Imagine whole episodes of a policy's deterministic actions, without pessimism.

    Args:
        mdp: The learned MDP; its raw rewards are summed, before any penalty.
        starts: Where episodes begin.
        policy: The policy.
        n_episodes: Number of episodes, imagined together.
        max_steps: Steps after which an episode is cut, as the real environment cuts it.
        seed: Seed of starts and predictions.

    Returns:
        Undiscounted return of each episode, `(n_episodes,)`.
    """
    device = mdp.ensemble.elites.device
    generator = torch.Generator(device=device).manual_seed(seed)
    obs = starts.draw(n_episodes, generator)
    returns = torch.zeros(n_episodes, dtype=torch.float64, device=device)
    running = torch.arange(n_episodes, device=device)
    for _ in range(max_steps):
        action, _ = policy.predict(obs.cpu().numpy(), deterministic=True)
        step = mdp.step(obs, torch.as_tensor(action, dtype=torch.float32, device=device), generator)
        returns[running] += step.raw_reward.double()
        alive = ~step.terminated
        running, obs = running[alive], step.next_obs[alive]
        if not len(running):
            break
    result: NDArray[np.float64] = returns.cpu().numpy()
    return result
