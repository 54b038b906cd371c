"""Steps that a policy takes, in the model or in the real environment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.envs import LearnedMDP
from offline_envs.evaluation.recorder import EpisodeRecorder
from offline_envs.evaluation.scoring import EvaluationResult, Predictor, evaluate_in
from offline_envs.mdp.starts import StartStates

Act = Callable[[Tensor], Tensor]
"""From observations `(B, d)` to actions `(B, k)`, on the same device."""


@dataclass(frozen=True)
class Rollouts:
    """`m` steps of several episodes, one row a step, on the CPU.

    Attributes:
        obs: Observations, float32 `(m, d)`.
        actions: Actions, float32 `(m, k)`.
        rewards: Rewards before any penalty, float32 `(m,)`.
        next_obs: Successors, float32 `(m, d)`.
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


def policy_actions(policy: Predictor) -> Act:
    """The policy's deterministic actions."""

    def act(obs: Tensor) -> Tensor:
        actions, _ = policy.predict(obs.cpu().numpy(), deterministic=True)
        return torch.as_tensor(actions, dtype=torch.float32, device=obs.device)

    return act


def uniform_actions(space: Box, generator: torch.Generator) -> Act:
    """Uniform actions in `space`, drawn from `generator`, which is on the device of the observations."""
    low, high = (
        torch.as_tensor(b, dtype=torch.float32, device=generator.device) for b in (space.low, space.high)
    )

    def act(obs: Tensor) -> Tensor:
        share = torch.rand(len(obs), len(low), generator=generator, device=generator.device)
        return low + share * (high - low)

    return act


def imagine(
    mdp: LearnedMDP, starts: StartStates, act: Act, *, n: int, horizon: int, generator: torch.Generator
) -> Rollouts:
    """Imagine `n` episodes of at most `horizon` steps from states of the data.

    Args:
        mdp: The learned MDP; raw rewards are kept.
        starts: Where episodes begin.
        act: What chooses actions.
        n: Number of episodes.
        horizon: Steps after which an episode is cut.
        generator: Source of randomness, on the model's device.
    """
    obs = starts.draw(n, generator)
    running = torch.arange(n, device=obs.device)
    parts = []
    for time in range(1, horizon + 1):
        action = act(obs)
        step = mdp.step(obs, action, generator)
        when = torch.full_like(running, time)
        row = (obs, action, step.raw_reward, step.next_obs, when, running, step.terminated, step.exploded)
        parts.append([tensor.cpu() for tensor in row])
        alive = ~step.terminated
        running, obs = running[alive], step.next_obs[alive]
        if not len(running):
            break
    return Rollouts(*(torch.cat(column) for column in zip(*parts, strict=True)))


def real_episodes(
    env: gym.Env[Any, Any], policy: Predictor, *, n_episodes: int, seed: int
) -> tuple[EvaluationResult, Rollouts]:
    """Run whole episodes of a policy's deterministic actions in a real environment, and keep every step."""
    recorder = EpisodeRecorder(env)
    result = evaluate_in(recorder, policy, n_episodes=n_episodes, seed=seed)
    episodes = recorder.finish()
    obs, actions, rewards, next_obs, terminated = (
        torch.from_numpy(np.concatenate(arrays))
        for arrays in (
            [np.asarray(e.observations)[:-1] for e in episodes],
            [np.asarray(e.actions) for e in episodes],
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
