"""Return that a model predicts for a policy: full episodes imagined from the data's initial states."""

from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.envs import LearnedVectorEnv
from offline_envs.evaluation.off_policy.model_based import imagined_returns
from offline_envs.mdp import LearnedMDP, ModelWorld, Starts, StartStates, follow
from offline_envs.policies import Policy, Predictor, as_policy

PREDICTION_SEED = 1_000
"""Seed of the imagined episodes, the same at each call, so that returns differ only by the policy."""


def model_return(
    mdp: LearnedMDP, starts: Starts, policy: Policy | Predictor, *, n_episodes: int, max_steps: int, seed: int
) -> NDArray[np.float64]:
    """Imagine full episodes of a policy's deterministic actions, without pessimism.

    Args:
        mdp: The learned MDP; its method is not applied, and raw rewards are summed.
        starts: Start observations of the episodes.
        policy: The policy, a function of tensors or, where actions are continuous, an agent.
        n_episodes: Number of episodes, imagined together.
        max_steps: Steps after which an episode is truncated, as in the real environment.
        seed: Seed of starts and predictions.

    Returns:
        Undiscounted return of each episode, `(n_episodes,)`.
    """
    device = mdp.members.elites.device
    generator = torch.Generator(device=device).manual_seed(seed)
    returns = torch.zeros(n_episodes, dtype=torch.float64, device=device)
    world = ModelWorld.starting(mdp.without_transform(), starts, n_episodes, generator)
    for followed in islice(follow(as_policy(policy), world), max_steps):
        returns[followed.rows] += followed.step.raw_reward.double()
    result: NDArray[np.float64] = returns.cpu().numpy()
    return result


class ReturnPredictor:
    """Return that a model predicts for a policy, over episodes up to the real time limit.

    Args:
        learned: Environment of the model; its raw rewards are summed.
        policy: The policy, as it is at each call.
        real_env: Real environment, for its time limit; without one, the longest episode of the data sets it.
    """

    def __init__(self, learned: LearnedVectorEnv, policy: Predictor, real_env: gym.Env[Any, Any]) -> None:
        self._mdp = learned.mdp
        self._policy = as_policy(policy, learned.transitions.agent_spaces)
        self._starts = StartStates.from_transitions(
            learned.transitions, "initial", device=learned.device, with_rows=self._mdp.replay is not None
        )
        limit = None if real_env.spec is None else real_env.spec.max_episode_steps
        self._max_steps = limit or int(learned.transitions.episode_lengths.max())

    def mean(self, n_episodes: int = 20) -> float:
        """Mean over `n_episodes` imagined episodes."""
        returns = model_return(
            self._mdp,
            self._starts,
            self._policy,
            n_episodes=n_episodes,
            max_steps=self._max_steps,
            seed=PREDICTION_SEED,
        )
        return float(returns.mean())

    @property
    def initial_obs(self) -> Tensor:
        """First observations of the data's episodes, `(e, d)`, on the model's device."""
        return self._starts.obs

    def pessimistic_mean(self, n_episodes: int = 4) -> float:
        """Mean with the method's pessimism over `n_episodes` imagined episodes of each elite."""
        found = imagined_returns(
            self._mdp,
            self._starts,
            self._policy,
            n_episodes=n_episodes,
            max_steps=self._max_steps,
            seed=PREDICTION_SEED,
        )
        return found.estimate(pessimistic=True).value
