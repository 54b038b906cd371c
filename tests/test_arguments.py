"""Public functions and classes refuse arguments of the wrong type with an error of this package."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from stable_baselines3 import SAC

import offline_envs  # noqa: F401  registers the environments
from offline_envs.adversary import Adversary
from offline_envs.collect import CollectSettings, Kind
from offline_envs.dynamics import fit, fitted_ensemble, load_model, read_model
from offline_envs.envs import imagine, rollout
from offline_envs.errors import SettingsError
from offline_envs.evaluation import evaluate_in
from offline_envs.runs import TrainSettings, run_seeds, train
from offline_envs.sb3 import (
    AdversarialCallback,
    BehaviorCloner,
    MixedReplayBuffer,
    RealEvalCallback,
    SB3VecEnv,
    mopo_schedule,
    with_device_rollouts,
    with_uniform_rollouts,
)
from offline_envs.wrappers import HaltOnUnknown, UncertaintyPenalty, vector
from tests.toy import toy_options, toy_transitions

W: Any = object()
"""Something of no type that anybody asks for."""

TOY = toy_transitions()


def env() -> gym.Env[Any, Any]:
    return gym.make("LearnedModel-v0", **toy_options())


def envs() -> Any:
    return gym.make_vec("LearnedModel-v0", 2, **toy_options())


def policy(obs: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(obs), 1)


def buffer(**changes: Any) -> MixedReplayBuffer:
    spaces = (envs().single_observation_space, envs().single_action_space)
    return MixedReplayBuffer(10, *spaces, dataset=TOY, **changes)


CALLS: dict[str, Callable[[], Any]] = {
    "rollout": lambda: rollout(policy, 2, 2, within=W),
    "rollout n": lambda: rollout(policy, W, 2, within=envs()),
    "rollout seed": lambda: rollout(policy, 2, 2, within=envs(), seed=W),
    "imagine": lambda: imagine(policy, W),
    "SB3VecEnv": lambda: SB3VecEnv(W),
    "BehaviorCloner": lambda: BehaviorCloner(W, TOY),
    "BehaviorCloner batch_size": lambda: BehaviorCloner(SAC("MlpPolicy", env()), TOY, batch_size=W),
    "MixedReplayBuffer": lambda: buffer(real_ratio=W),
    "RealEvalCallback": lambda: RealEvalCallback("InvertedDoublePendulum-v5"),  # type: ignore[arg-type]
    "RealEvalCallback every": lambda: RealEvalCallback(env(), every=W),
    "AdversarialCallback": lambda: AdversarialCallback(W),
    "mopo_schedule": lambda: mopo_schedule(W, 5),
    "with_device_rollouts": lambda: with_device_rollouts(W),
    "with_uniform_rollouts": lambda: with_uniform_rollouts(W),
    "UncertaintyPenalty": lambda: UncertaintyPenalty(W),
    "UncertaintyPenalty coef": lambda: UncertaintyPenalty(env(), "1"),  # type: ignore[arg-type]
    "HaltOnUnknown": lambda: HaltOnUnknown(env(), W),
    "vector.HaltOnUnknown": lambda: vector.HaltOnUnknown(envs(), step_infos=W),
    "evaluate_in": lambda: evaluate_in(W, policy),
    "evaluate_in n_episodes": lambda: evaluate_in(env(), policy, n_episodes=W),
    "Adversary": lambda: Adversary(W, TOY),
    "fit": lambda: fit(TOY, W),
    "fitted_ensemble": lambda: fitted_ensemble(TOY, W),
    "load_model": lambda: load_model(W),
    "read_model": lambda: read_model(W),
    "train": lambda: train(W, Path("unused")),
    "train folder": lambda: train(TrainSettings("a-v0"), W),
    "run_seeds": lambda: run_seeds(TrainSettings("a-v0"), W, Path("unused")),
    "TrainSettings": lambda: TrainSettings(W),
    "for_algorithm": lambda: TrainSettings.for_algorithm(W),
    "for_algorithm agent": lambda: TrainSettings.for_algorithm({"dataset": "a-v0", "agent": W}),
    "CollectSettings": lambda: CollectSettings(W, 3),
    "CollectSettings steps": lambda: CollectSettings(Kind.RANDOM, W),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_an_argument_of_the_wrong_type_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(SettingsError, match=r"must be|Unknown"):
        call()


def test_a_cloner_needs_rows_and_steps() -> None:
    agent = SAC("MlpPolicy", env(), device="cpu", policy_kwargs={"net_arch": [8]})
    row = {"observations": TOY.obs[:1], "actions": TOY.actions[:1], "rewards": TOY.rewards[:1]}
    ends = {"next_observations": TOY.next_obs[:1], "terminals": TOY.terminated[:1], "timeouts": [True]}
    with pytest.raises(SettingsError, match="at least 2 steps, one to measure the error on, got 1"):
        BehaviorCloner(agent, {**row, **ends})
    with pytest.raises(SettingsError, match="gradient_steps must be 0 or more, got -1"):
        BehaviorCloner(agent, TOY).train(-1)
