"""Train an agent over a phase, from scratch or from the last checkpoint."""

from pathlib import Path

import numpy as np
from minari.data_collector import EpisodeBuffer
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.collect.agents import load_agent, new_agent
from offline_envs.collect.episode_files import read_episodes
from offline_envs.collect.recorded_phase import AGENT_FILE, EPISODES_FILE, RecordedPhase, damaged_checkpoint
from offline_envs.collect.settings import CollectSettings
from offline_envs.collect.snapshots import SnapshotCallback
from offline_envs.errors import CheckpointError

SCALED_ACTIONS_FILE = "scaled_actions.npy"


def learn(phase: RecordedPhase, settings: CollectSettings, snapshots: SnapshotCallback | None = None) -> None:
    """Train to the end of the phase. Interrupted or not, its steps are the same, bit for bit.

    Args:
        phase: Steps to train for, and those done.
        settings: Names the agent, the seed and the network.
        snapshots: Keeps policies during the training.

    Raises:
        CheckpointError: The checkpoint to resume from cannot be read.
    """
    if phase.is_complete:
        return
    agent = (
        _resumed(phase, settings) if phase.done else new_agent(settings, phase.recorder, steps=phase.steps)
    )
    more = [] if snapshots is None else [snapshots]
    agent.learn(
        phase.steps - phase.done,
        callback=CallbackList([*more, _Checkpoints(phase, snapshots)]),
        reset_num_timesteps=False,
    )
    phase.finish(None if snapshots is None else snapshots.write)


class _Checkpoints(BaseCallback):
    """Write the agent, and the part of its replay buffer that the episodes lack.

    This happens at the beginning of the agent's next step: the last one has been stored and learned from, and
    the
    environment, which Stable-Baselines3 resets by itself, is at the beginning of an episode.
    """

    def __init__(self, phase: RecordedPhase, snapshots: SnapshotCallback | None) -> None:
        super().__init__()
        self._phase, self._snapshots = phase, snapshots

    def _on_rollout_start(self) -> None:
        self._phase.checkpoint_if_due(self.model.num_timesteps, self._write)

    def _on_step(self) -> bool:
        return True

    def _write(self, folder: Path) -> None:
        agent = self.model
        assert isinstance(agent, OffPolicyAlgorithm)
        agent.save(folder / AGENT_FILE)
        buffer = agent.replay_buffer
        assert buffer is not None
        rows = np.arange(self._phase.done, agent.num_timesteps) % buffer.buffer_size
        np.save(folder / SCALED_ACTIONS_FILE, buffer.actions[rows])
        if self._snapshots is not None:
            self._snapshots.write(folder)


def _resumed(phase: RecordedPhase, settings: CollectSettings) -> OffPolicyAlgorithm:
    """Load the agent of the last checkpoint, with its replay buffer and all random generators."""
    last = phase.checkpoints[-1]
    try:
        agent = load_agent(settings, last / AGENT_FILE, phase.recorder)
    except CheckpointError as error:
        raise damaged_checkpoint(last, error) from error
    assert isinstance(agent, OffPolicyAlgorithm)  # guaranteed by the settings
    agent.set_env(phase.recorder)
    agent.action_space = phase.recorder.action_space  # One space, so that there is one generator to restore.
    assert agent.replay_buffer is not None
    _refill(agent.replay_buffer, phase.checkpoints)
    phase.restore_generators()
    return agent


def _refill(buffer: ReplayBuffer, checkpoints: list[Path]) -> None:
    """Restore all steps of a replay buffer.

    Episodes hold float32 observations where the buffer may hold float64; networks see float32 anyway. Only
    the actions are stored separately: the buffer has them scaled to [-1, 1], and scaling back and forth
    rounds.
    """
    done = 0
    try:
        for checkpoint in checkpoints:
            actions = np.load(checkpoint / SCALED_ACTIONS_FILE)
            rows = np.arange(done, done + len(actions)) % buffer.buffer_size
            buffer.actions[rows] = actions
            _put_episodes(buffer, rows, list(read_episodes([checkpoint / EPISODES_FILE])))
            done += len(actions)
    except (OSError, ValueError, KeyError) as error:
        raise damaged_checkpoint(checkpoint, error) from error
    buffer.pos, buffer.full = done % buffer.buffer_size, done >= buffer.buffer_size


def _put_episodes(buffer: ReplayBuffer, rows: NDArray[np.int64], episodes: list[EpisodeBuffer]) -> None:
    observations = [np.asarray(episode.observations) for episode in episodes]
    rewards, terminations, truncations = (
        np.concatenate([getattr(episode, name) for episode in episodes])
        for name in ("rewards", "terminations", "truncations")
    )
    buffer.observations[rows, 0] = np.concatenate([obs[:-1] for obs in observations])
    buffer.next_observations[rows, 0] = np.concatenate([obs[1:] for obs in observations])
    buffer.rewards[rows, 0] = rewards
    buffer.dones[rows, 0] = terminations | truncations
    buffer.timeouts[rows, 0] = truncations & ~terminations
