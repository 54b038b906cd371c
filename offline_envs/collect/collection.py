"""From settings to a written dataset."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.collect.agents import (
    N_EVALUATION_EPISODES,
    N_SNAPSHOTS,
    SnapshotCallback,
    choose_snapshot,
    load_agent,
    new_agent,
)
from offline_envs.collect.recorder import EpisodeRecorder
from offline_envs.collect.rollouts import mean_random_return, policy_actions, roll_out, uniform_actions
from offline_envs.collect.settings import CollectSettings, Kind
from offline_envs.collect.writer import Provenance, check_new, default_root, write_dataset
from offline_envs.errors import SettingsError

Advance = Callable[[], None]


@dataclass(frozen=True)
class Collected:
    """A dataset that was just written.

    Attributes:
        dataset_id: Minari id.
        folder: Folder that holds it.
        returns: Undiscounted return of each episode, float64 `(e,)`.
        lengths: Steps of each episode, int64 `(e,)`.
    """

    dataset_id: str
    folder: Path
    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]

    @property
    def megabytes(self) -> float:
        """Size on disk, in units of 1e6 bytes."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file()) / 1e6


def collect_dataset(
    env_id: str,
    dataset_id: str,
    *,
    settings: CollectSettings,
    output_root: Path | None = None,
    on_step: Advance | None = None,
) -> Collected:
    """Collect one dataset and write it in Minari's format.

    The same settings give the same dataset on the same machine and versions. Nothing is on disk before the
    last step is done, and then the finished dataset is renamed into its place.

    Args:
        env_id: Gymnasium environment with Box observations and bounded Box actions.
        dataset_id: Minari id of the new dataset, with a version.
        settings: What to collect.
        output_root: Minari root to write under; None for Minari's own folder.
        on_step: Called after every environment step of training and recording, evaluations apart:
            `settings.training_length + settings.steps` times.

    Raises:
        DatasetError: The id is malformed or taken.
        SettingsError: The environment is unknown, its spaces cannot be stored as plain arrays, or the
            policy does not fit them.
        CheckpointError: The policy file cannot be loaded.
    """
    root = default_root() if output_root is None else output_root
    check_new(dataset_id, root)
    advance = on_step or _do_nothing
    env = _make(env_id, settings)
    recorder = EpisodeRecorder(env, advance)
    _RECORD[settings.kind](recorder, settings, advance)
    episodes = recorder.finish()
    env.close()
    folder = write_dataset(
        dataset_id, episodes, root=root, provenance=_provenance(env, settings, len(episodes))
    )
    return Collected(
        dataset_id,
        folder,
        returns=np.array([np.sum(e.rewards, dtype=np.float64) for e in episodes]),
        lengths=np.array([len(e) for e in episodes]),
    )


def _record_random(recorder: EpisodeRecorder, settings: CollectSettings, advance: Advance) -> None:
    del advance  # Unused: the recorder calls it.
    roll_out(recorder, uniform_actions(recorder, settings.seed), steps=settings.steps, seed=settings.seed)


def _record_replay(recorder: EpisodeRecorder, settings: CollectSettings, advance: Advance) -> None:
    del advance  # Unused: the recorder calls it.
    new_agent(settings, recorder, steps=settings.steps).learn(settings.steps)


def _record_policy(recorder: EpisodeRecorder, settings: CollectSettings, advance: Advance) -> None:
    if settings.trains_first:
        agent = _train(recorder.env, settings, advance)
    else:
        agent = load_agent(settings, recorder)
    act = policy_actions(agent, deterministic=settings.deterministic)
    roll_out(recorder, act, steps=settings.steps, seed=settings.seed)


_RECORD: dict[Kind, Callable[[EpisodeRecorder, CollectSettings, Advance], None]] = {
    Kind.RANDOM: _record_random,
    Kind.REPLAY: _record_replay,
    Kind.MEDIUM: _record_policy,
    Kind.EXPERT: _record_policy,
}


def _train(env: gym.Env[Any, Any], settings: CollectSettings, advance: Advance) -> OffPolicyAlgorithm:
    """Train an agent and give it the weights of the snapshot that the kind asks for."""
    assert env.spec is not None
    eval_env = gym.make(env.spec)
    random_return = mean_random_return(eval_env, episodes=N_EVALUATION_EPISODES, seed=settings.seed)
    every = max(1, settings.training_length // N_SNAPSHOTS)
    callback = SnapshotCallback(eval_env, every=every, on_step=advance)
    agent = new_agent(settings, env, steps=settings.training_length)
    agent.learn(settings.training_length, callback=callback)
    chosen = choose_snapshot(callback.snapshots, settings.kind, random_return=random_return)
    agent.policy.load_state_dict(chosen.weights)
    eval_env.close()
    return agent


def _make(env_id: str, settings: CollectSettings) -> gym.Env[Any, Any]:
    try:
        env = gym.make(env_id, **settings.env_kwargs)
    except (gym.error.Error, ImportError, TypeError) as error:
        raise SettingsError(f"Cannot make {env_id!r} with {dict(settings.env_kwargs)}: {error}") from error
    spaces = (env.observation_space, env.action_space)
    if not all(isinstance(space, Box) and len(space.shape) == 1 for space in spaces):
        raise SettingsError(f"Both spaces of {env_id} must be Box of one dimension, got {spaces}.")
    assert isinstance(env.action_space, Box)
    if not env.action_space.is_bounded():
        raise SettingsError(f"Actions of {env_id} must be bounded, got {env.action_space}.")
    return env


def _provenance(env: gym.Env[Any, Any], settings: CollectSettings, n_episodes: int) -> Provenance:
    assert env.spec is not None
    return Provenance(
        env_spec=env.spec,
        observation_space=_as_float32(env.observation_space),
        action_space=_as_float32(env.action_space),
        algorithm="random" if settings.kind is Kind.RANDOM else settings.agent.upper(),
        description=f"{_story(env.spec.id, settings)} {settings.steps} steps, {n_episodes} episodes, "
        f"seed {settings.seed}. Written by offline-envs collect.",
    )


def _story(env_id: str, settings: CollectSettings) -> str:
    agent, widths = settings.agent.upper(), "x".join(map(str, settings.net_arch))
    match settings.kind:
        case Kind.RANDOM:
            return f"Uniform actions in {env_id}."
        case Kind.REPLAY:
            return f"{agent} ({widths}) from scratch in {env_id}: every step of its training, in order."
    how = "mean actions" if settings.deterministic else "sampled actions"
    if settings.policy is not None:
        return f"A loaded {agent} policy called {settings.kind} in {env_id}, {how}."
    best = "the best" if settings.kind is Kind.EXPERT else "a third of the best"
    return f"{agent} ({widths}) in {env_id}: {best} of {settings.training_length} training steps, {how}."


def _as_float32(space: gym.Space[Any]) -> Box:
    assert isinstance(space, Box)
    return Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32)


def _do_nothing() -> None:
    pass
