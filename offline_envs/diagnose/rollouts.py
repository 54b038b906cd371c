"""`Rollouts`: steps from a dataset, or of a policy in the model or in the real environment."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.evaluation import EpisodeRecorder, EvaluationResult, evaluate_in
from offline_envs.mdp import LearnedMDP, ModelWorld, Starts, follow
from offline_envs.policies import Policy, Predictor


@dataclass(frozen=True)
class Rollouts:
    """`m` steps of several episodes, one row a step, on the CPU.

    Attributes:
        obs: Observations, float32 `(m, d)`.
        actions: Actions, float32 `(m, k)`.
        rewards: Rewards before any penalty, float32 `(m,)`.
        next_obs: Next observations, float32 `(m, d)`.
        time: Number of the step in its episode, from 1, int64 `(m,)`.
        episode: Number of the episode, from 0, int64 `(m,)`.
        terminated: Whether the MDP ended there, bool `(m,)`.
        exploded: Whether the model's prediction was rejected, bool `(m,)`.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    next_obs: Tensor
    time: Tensor
    episode: Tensor
    terminated: Tensor
    exploded: Tensor

    def __len__(self) -> int:
        return len(self.obs)

    def mean_by_time(self, values: Tensor) -> Tensor:
        """Mean of `values`, `(m,)`, over the steps of equal time, float64 `(h,)`.

        NaN from the first time that fewer than half of the episodes reach: the longest episodes are not
        representative of the others.
        """
        index = self.time - 1
        size = int(index.max()) + 1
        total = torch.zeros(size, dtype=torch.float64).index_add(0, index, values.double())
        n = torch.bincount(index, minlength=size)
        return (total / n).masked_fill(2 * n < n[0], torch.nan)


def dataset_steps(transitions: Transitions, rows: Tensor) -> Rollouts:
    """Rows of a dataset, int64 `(m,)`, as episodes of one step each."""
    return Rollouts(
        transitions.obs[rows],
        transitions.actions[rows],
        transitions.rewards[rows],
        transitions.next_obs[rows],
        torch.ones(len(rows), dtype=torch.int64),
        torch.arange(len(rows)),
        transitions.terminated[rows],
        torch.zeros(len(rows), dtype=torch.bool),
    )


def imagine(
    mdp: LearnedMDP, starts: Starts, policy: Policy, *, n: int, horizon: int, generator: torch.Generator
) -> Rollouts:
    """Imagine `n` episodes of at most `horizon` steps from states of the data.

    Args:
        mdp: The learned MDP; raw rewards are kept.
        starts: Start observations of the episodes.
        policy: The policy.
        n: Number of episodes.
        horizon: Steps after which an episode is truncated.
        generator: Source of randomness, on the model's device.
    """
    parts = []
    world = ModelWorld.starting(mdp, starts, n, generator)
    for time, (rows, obs, action, step) in enumerate(islice(follow(policy, world), horizon), start=1):
        when = torch.full_like(rows, time)
        row = (obs, action, step.raw_reward, step.next_obs, when, rows, step.terminated, step.exploded)
        parts.append([tensor.cpu() for tensor in row])
    return Rollouts(*(torch.cat(column) for column in zip(*parts, strict=True)))


def real_episodes(
    env: gym.Env[Any, Any], policy: Predictor, *, n_episodes: int, seed: int
) -> tuple[EvaluationResult, Rollouts]:
    """Run full episodes of a policy's deterministic actions in a real environment, and keep every step."""
    recorder = EpisodeRecorder(env)
    result = evaluate_in(recorder, policy, n_episodes=n_episodes, seed=seed)
    episodes = recorder.finish()
    obs, actions, rewards, next_obs, terminated = (
        torch.from_numpy(np.concatenate(arrays))
        for arrays in (
            [np.asarray(e.observations)[:-1] for e in episodes],
            [np.asarray(e.actions, dtype=np.float32) for e in episodes],  # a float64 space's are float64
            [np.asarray(e.rewards, dtype=np.float32) for e in episodes],
            [np.asarray(e.observations)[1:] for e in episodes],
            [np.asarray(e.terminations) for e in episodes],
        )
    )
    lengths = [len(e.rewards) for e in episodes]
    time = torch.cat([torch.arange(1, length + 1) for length in lengths])
    episode = torch.repeat_interleave(torch.arange(len(episodes)), torch.tensor(lengths))
    return result, Rollouts(
        obs, actions, rewards, next_obs, time, episode, terminated, torch.zeros_like(terminated)
    )
