"""`collect_dataset`: collect a dataset and write it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.collect.agents import load_agent, new_agent, policy_digest
from offline_envs.collect.environment import check_planned, make_collected
from offline_envs.collect.learning import learn
from offline_envs.collect.planned import PlanningModel, ReseededPlanner
from offline_envs.collect.recorded_phase import CHECKPOINT_STEPS, RecordedPhase
from offline_envs.collect.rollouts import SpaceSamples, mean_random_return, roll_out
from offline_envs.collect.settings import CollectSettings, Kind
from offline_envs.collect.snapshots import (
    N_EVALUATION_EPISODES,
    SnapshotCallback,
    choose_snapshot,
    read_snapshots,
)
from offline_envs.collect.work_folder import claimed, remove, remove_if_written, unfinished_folder
from offline_envs.collect.writer import ROOT_SETTING, Provenance, check_new, write_dataset
from offline_envs.data import minari_root
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.files import moved_by
from offline_envs.policies import ActsIn, Predictor, policy_from_spec
from offline_envs.settings import check_arguments
from offline_envs.versions import versions


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


@check_arguments
def collect_dataset(
    env_id: str,
    dataset_id: str,
    *,
    settings: CollectSettings,
    output_root: Path | None = None,
    learned: PlanningModel | None = None,
    checkpoint_steps: int = CHECKPOINT_STEPS,
    on_step: Callable[[], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> Collected:
    """Collect one dataset and write it in Minari's format.

    The same settings give the same dataset on the same machine and versions. After an interruption at any
    moment, the same call resumes from the last checkpoint and gives the same dataset; until then the work is
    in a hidden folder beside the dataset's destination, into which the finished dataset is renamed.

    Args:
        env_id: Gymnasium environment with Box observations and actions in a bounded Box or discrete. Its
            resets must keep nothing of the previous episode, and draw from its `np_random` only.
        dataset_id: Minari id of the new dataset, with a version.
        settings: What to collect.
        output_root: Minari root to write under; None for Minari's own folder.
        learned: What a planner plans in, if `settings.policy` is one.
        checkpoint_steps: Fewest steps between checkpoints, which are written at ends of episodes.
        on_step: Called after every environment step of training and recording, not of evaluations:
            `settings.training_length + settings.steps` times.
        on_resume: Called once, before the first step, with the number of these done earlier.

    Raises:
        DatasetError: The id is malformed or taken, or another process collects this dataset.
        SettingsError: The environment is unknown, its keywords are not JSON values, its spaces cannot be
            stored as plain arrays, the policy does not fit them, or the dataset was begun with other
            settings.
        CheckpointError: The policy file or a checkpoint cannot be loaded.
        StorageError: The system does not let the dataset be written; noticed before the work where it can be.
    """
    root = minari_root() if output_root is None else output_root
    folder = unfinished_folder(dataset_id, root)
    check_place(dataset_id, root)
    env = make_collected(env_id, settings)
    if learned is not None:
        check_planned(env, settings, learned.mdp.members.model)
    with moved_by(ROOT_SETTING), claimed(folder, _identity(env, settings, learned)):
        training, recording = (
            RecordedPhase(folder / name, env, steps=steps, checkpoint_steps=checkpoint_steps, on_step=on_step)
            for name, steps in (("training", settings.training_length), ("recording", settings.steps))
        )
        if on_resume is not None:
            on_resume(training.done + recording.done)
        _record(training, recording, settings, learned)
        env.close()
        collected = _write(dataset_id, root, folder, recording, settings)
        remove(folder)
    return collected


def check_place(dataset_id: str, root: Path) -> None:
    """Check that a dataset of this id can be collected, and clear what is left of one that is finished.

    Args:
        dataset_id: See `collect_dataset`.
        root: Minari root to write under.

    Raises:
        DatasetError: The id is malformed or taken; it also tells of what an interrupted collection left.
        StorageError: The system does not let a dataset be written there.
    """
    folder = unfinished_folder(dataset_id, root)
    try:
        check_new(dataset_id, root)
    except DatasetError as error:
        remove_if_written(folder, root / dataset_id)
        if not folder.exists():
            raise
        raise DatasetError(f"{error} {folder} holds what is left of an interrupted collection.") from error


def _record(
    training: RecordedPhase,
    recording: RecordedPhase,
    settings: CollectSettings,
    learned: PlanningModel | None,
) -> None:
    if recording.is_complete:
        return
    env = recording.recorder
    match settings.kind:
        case Kind.REPLAY:
            learn(recording, settings)
        case Kind.RANDOM:
            _roll_out(recording, SpaceSamples(env, settings.seed), settings)
        case Kind.MEDIUM | Kind.EXPERT:
            _roll_out(recording, _policy(training, settings, env, learned), settings)


def _policy(
    training: RecordedPhase,
    settings: CollectSettings,
    env: gym.Env[Any, Any],
    learned: PlanningModel | None,
) -> Predictor:
    text = settings.policy
    if text is None:
        return _train(training, settings)
    if not settings.plans:
        return load_agent(settings, Path(text), env)
    space: Any = env.action_space
    mdp = None if learned is None else learned.mdp
    return ReseededPlanner(lambda seed: policy_from_spec(str(text), ActsIn(space, seed, mdp)))


def _roll_out(phase: RecordedPhase, policy: Predictor, settings: CollectSettings) -> None:
    """Take the remaining steps of a phase.

    Policies of Stable-Baselines3 draw from torch's global generator, which is restored afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        if phase.done:
            phase.restore_generators()
        else:
            torch.manual_seed(settings.seed)
        roll_out(
            phase.recorder,
            policy,
            deterministic=settings.deterministic,
            steps=phase.steps,
            done=phase.done,
            seed=None if phase.done else settings.seed,
            on_reset=phase.checkpoint_if_due,
        )
    phase.finish()


def _train(phase: RecordedPhase, settings: CollectSettings) -> OffPolicyAlgorithm:
    """Train an agent and give it the weights of the snapshot that the kind asks for."""
    spec = phase.recorder.env.spec
    assert spec is not None
    eval_env = gym.make(spec)
    random_return = mean_random_return(eval_env, episodes=N_EVALUATION_EPISODES, seed=settings.seed)
    taken = read_snapshots(phase.checkpoints)
    callback = SnapshotCallback(eval_env, steps=phase.steps, seed=settings.seed, taken=taken)
    learn(phase, settings, callback)
    chosen = choose_snapshot(callback.snapshots, settings.kind, random_return=random_return)
    agent = new_agent(settings, phase.recorder, steps=1)
    agent.policy.load_state_dict(chosen.weights)
    eval_env.close()
    return agent


def _write(
    dataset_id: str, root: Path, scratch: Path, recording: RecordedPhase, settings: CollectSettings
) -> Collected:
    returns = np.array([np.sum(e.rewards, dtype=np.float64) for e in recording.episodes()])
    lengths = np.array([len(e) for e in recording.episodes()])
    folder = write_dataset(
        dataset_id,
        recording.episodes(),
        root=root,
        scratch=scratch,
        provenance=_provenance(recording.recorder.env, settings, len(lengths)),
    )
    return Collected(dataset_id, folder, returns=returns, lengths=lengths)


def _identity(
    env: gym.Env[Any, Any], settings: CollectSettings, learned: PlanningModel | None = None
) -> dict[str, Any]:
    """Everything that determines the dataset: environment, settings, the policy's file, and versions.

    Raises:
        SettingsError: The environment has keywords that cannot be stored.
        CheckpointError: The policy's file cannot be read.
    """
    assert env.spec is not None
    try:
        spec = json.loads(env.spec.to_json())
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"Keywords of the environment must be JSON values, got {dict(settings.env_kwargs)}: {error}"
        ) from error
    policy = _policy_identity(settings, learned)
    of_env = {"env_kwargs": spec.pop("kwargs"), "env": spec}
    return asdict(settings) | of_env | {"policy": policy, "versions": versions()}


def _policy_identity(settings: CollectSettings, learned: PlanningModel | None) -> Any:
    """The digest of a policy's file, or a planner's text and model; None if an agent is trained.

    Raises:
        SettingsError: A planner without a model.
        CheckpointError: The file cannot be read.
    """
    if settings.policy is None:
        return None
    if not settings.plans:
        return policy_digest(Path(settings.policy))
    if learned is None:
        raise SettingsError(f"{settings.policy} plans in a learned model: give the dataset that it is of.")
    return {"planner": str(settings.policy), "model": dict(learned.identity)}


def _provenance(env: gym.Env[Any, Any], settings: CollectSettings, n_episodes: int) -> Provenance:
    assert env.spec is not None
    return Provenance(
        env_spec=env.spec,
        observation_space=_as_float32(env.observation_space),
        action_space=_stored(env.action_space),
        algorithm=_algorithm(settings),
        description=f"{_story(env.spec.id, settings)} {settings.steps} steps, {n_episodes} episodes, "
        f"seed {settings.seed}. Written by offline-envs collect.",
    )


def _algorithm(settings: CollectSettings) -> str:
    if settings.plans:
        return str(settings.policy)
    return "random" if settings.kind is Kind.RANDOM else settings.agent.upper()


def _story(env_id: str, settings: CollectSettings) -> str:
    agent, widths = settings.agent.upper(), "x".join(map(str, settings.net_arch))
    match settings.kind:
        case Kind.RANDOM:
            return f"Uniform actions in {env_id}."
        case Kind.REPLAY:
            return f"{agent} ({widths}) from scratch in {env_id}: every step of its training, in order."
    if settings.plans:
        return f"The planner {settings.policy}, called {settings.kind}, in {env_id}."
    how = "mean actions" if settings.deterministic else "sampled actions"
    if settings.policy is not None:
        return f"A loaded {agent} policy called {settings.kind} in {env_id}, {how}."
    best = "the best" if settings.kind is Kind.EXPERT else "a third of the best"
    return f"{agent} ({widths}) in {env_id}: {best} of {settings.training_length} training steps, {how}."


def _stored(space: gym.Space[Any]) -> gym.Space[Any]:
    return _as_float32(space) if isinstance(space, Box) else space


def _as_float32(space: gym.Space[Any]) -> Box:
    assert isinstance(space, Box)
    return Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32)
