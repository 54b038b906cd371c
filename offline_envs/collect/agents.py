"""Stable-Baselines3 agents by name: made new, loaded, and trained with snapshots on the way."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from sb3_contrib import TQC
from stable_baselines3 import SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.collect.settings import Agent, CollectSettings, Kind
from offline_envs.errors import CheckpointError, SettingsError

AGENT_CLASSES: dict[Agent, type[SAC] | type[TD3] | type[TQC]] = {
    Agent.SAC: SAC,
    Agent.TD3: TD3,
    Agent.TQC: TQC,
}

EXPLORATION_STD = 0.1  # of actions scaled to [-1, 1]: TD3 (Fujimoto et al. 2018), section 6.1
N_SNAPSHOTS = 20  # policies kept over a training
N_EVALUATION_EPISODES = 5  # behind the return of each
MEDIUM_SHARE = 1 / 3  # of the way from random to best, D4RL's "medium"


@dataclass(frozen=True)
class Snapshot:
    """A policy as it was at one moment of its training.

    Attributes:
        steps: Environment steps trained so far.
        mean_return: Mean undiscounted return of the deterministic policy.
        weights: State dict of the policy.
    """

    steps: int
    mean_return: float
    weights: dict[str, Any]


def new_agent(settings: CollectSettings, env: gym.Env[Any, Any], *, steps: int) -> OffPolicyAlgorithm:
    """Make an untrained agent with Stable-Baselines3's own hyper-parameters.

    Args:
        settings: Names the algorithm, the seed and the network.
        env: Environment that it will be trained in.
        steps: Length of the training; the replay buffer holds all of it, up to a million steps.
    """
    shape = env.action_space.shape
    noise = NormalActionNoise(np.zeros(shape or ()), np.full(shape or (), EXPLORATION_STD))
    return AGENT_CLASSES[settings.agent](
        "MlpPolicy",
        env,
        seed=settings.seed,
        device="cpu",  # a GPU's sums are not the same from run to run
        buffer_size=min(steps, 1_000_000),
        action_noise=noise if settings.agent is Agent.TD3 else None,  # the others explore by themselves
        policy_kwargs={"net_arch": list(settings.net_arch)},
    )


def load_agent(settings: CollectSettings, env: gym.Env[Any, Any]) -> OffPolicyAlgorithm:
    """Load the policy that the settings name.

    Raises:
        CheckpointError: The file is missing, or was not saved by this algorithm.
        SettingsError: The policy was trained with other spaces than this environment's.
    """
    assert settings.policy is not None
    try:
        agent = AGENT_CLASSES[settings.agent].load(settings.policy, device="cpu")
    except Exception as error:  # Stable-Baselines3 lets through whatever zipfile, pickle or torch raise.
        raise CheckpointError(
            f"{settings.policy} cannot be loaded as a {settings.agent.upper()} policy: {error}"
        ) from error
    for name in ("observation_space", "action_space"):
        trained, wanted = getattr(agent, name), getattr(env, name)
        if trained.shape != wanted.shape:
            raise SettingsError(
                f"{settings.policy} was trained with {name} {trained}, but the environment has {wanted}."
            )
    return agent


def choose_snapshot(snapshots: list[Snapshot], kind: Kind, *, random_return: float) -> Snapshot:
    """Choose the best policy for `expert`, or the one nearest to a third of the way there for `medium`.

    Args:
        snapshots: Policies of one training, at least one.
        kind: `expert` or `medium`.
        random_return: Mean return of uniform actions, where the way to the best begins.
    """
    best = max(snapshots, key=lambda snapshot: snapshot.mean_return)
    if kind is Kind.EXPERT:
        return best
    target = random_return + MEDIUM_SHARE * (best.mean_return - random_return)
    return min(snapshots, key=lambda snapshot: abs(snapshot.mean_return - target))


class SnapshotCallback(BaseCallback):
    """Evaluate and keep the policy about 20 times over a training.

    Args:
        eval_env: Environment to evaluate in, not the one trained in.
        every: Steps from one snapshot to the next.
        on_step: Called after every training step.
    """

    def __init__(self, eval_env: gym.Env[Any, Any], *, every: int, on_step: Callable[[], None]) -> None:
        super().__init__()
        self.snapshots: list[Snapshot] = []
        self._eval_env = eval_env
        self._every = every
        self._advance = on_step

    def _on_training_start(self) -> None:
        self._take()

    def _on_step(self) -> bool:
        if self.num_timesteps % self._every == 0:
            self._take()
        self._advance()
        return True

    def _take(self) -> None:
        mean_return, _ = evaluate_policy(
            self.model, self._eval_env, n_eval_episodes=N_EVALUATION_EPISODES, warn=False
        )
        assert isinstance(mean_return, float | np.floating)
        weights = copy.deepcopy(self.model.policy.state_dict())
        self.snapshots.append(Snapshot(self.num_timesteps, float(mean_return), weights))
