"""Recorded steps in one environment, with checkpoints to resume from."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from minari.data_collector import EpisodeBuffer

from offline_envs.collect.episode_files import read_episodes, write_episodes
from offline_envs.errors import CheckpointError
from offline_envs.evaluation import EpisodeRecorder
from offline_envs.files import new_folder, seal, verify

GeneratorState = Any
"""State of a NumPy bit generator: names and integers."""


def reset_generator(env: gym.Env[Any, Any]) -> GeneratorState:
    """Return the state of the generator that an environment's resets draw from."""
    return env.unwrapped.np_random.bit_generator.state


def write_generators(path: Path, env: gym.Env[Any, Any], *, reset: GeneratorState) -> None:
    """Write the states of all generators: the environment's from before its last reset, the others' current.

    Stable-Baselines3 draws from the global generators of NumPy and torch and from the action space.

    Args:
        path: JSON file to write.
        env: Environment, just reset.
        reset: `reset_generator` of `env` from before that reset.
    """
    states = {
        "environment": reset,
        "actions": env.action_space.np_random.bit_generator.state,
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002  # the one that Stable-Baselines3 uses
        "torch": torch.get_rng_state(),
    }
    path.write_text(json.dumps(states, default=lambda array: array.tolist()), encoding="utf-8")


def restore_generators(path: Path, env: gym.Env[Any, Any]) -> None:
    """Restore all generators. The next reset of `env` repeats the last one before they were written."""
    states = json.loads(path.read_text(encoding="utf-8"))
    env.unwrapped.np_random.bit_generator.state = states["environment"]
    env.action_space.np_random.bit_generator.state = states["actions"]
    np.random.set_state(states["numpy"])  # noqa: NPY002  # the one that Stable-Baselines3 uses
    torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))


CHECKPOINT_STEPS = 5_000
"""Fewest steps between checkpoints, which are written at ends of episodes: every minute or two."""

EPISODES_FILE, GENERATORS_FILE, AGENT_FILE = "episodes.npz", "generators.json", "agent.zip"

NEWEST_ONLY = (AGENT_FILE, GENERATORS_FILE)
"""Files that only the newest checkpoint has to have."""

Write = Callable[[Path], None]


class RecordedPhase:
    """One phase of a collection: the training that comes before it, or the recording itself.

    A checkpoint is a folder named by the number of steps done. It holds the episodes since the previous one,
    the random generators, and what the caller writes into it. It is renamed into place when complete, and
    written only between episodes: an environment can be restored to a reset, but
    not to the middle of an episode.

    Args:
        folder: Folder of the checkpoints; created with the first.
        env: Environment whose steps are recorded.
        steps: Number of steps of the whole phase.
        checkpoint_steps: Fewest steps between checkpoints.
        on_step: Called after every step.

    Raises:
        CheckpointError: A checkpoint is missing, or one of its files is missing, truncated or altered.

    Attributes:
        recorder: The environment to take steps in.
        steps: Number of steps of the whole phase.
        done: Number of steps up to the last checkpoint.
    """

    def __init__(
        self,
        folder: Path,
        env: gym.Env[Any, Any],
        *,
        steps: int,
        checkpoint_steps: int = CHECKPOINT_STEPS,
        on_step: Callable[[], None] | None = None,
    ) -> None:
        self.recorder = EpisodeRecorder(env, self._after_step)
        self.steps = steps
        self._folder = folder
        self._checkpoint_steps = checkpoint_steps
        self._on_step = on_step
        self._generator_at_end = reset_generator(env)
        _check(self.checkpoints)
        self.done = int(self.checkpoints[-1].name) if self.checkpoints else 0

    @property
    def checkpoints(self) -> list[Path]:
        """Folders of all checkpoints, in order."""
        return sorted(path for path in self._folder.glob("*") if path.name.isdecimal())

    @property
    def is_complete(self) -> bool:
        """Whether every step is done and written."""
        return self.done == self.steps

    def checkpoint_if_due(self, done: int, write: Write | None = None) -> None:
        """Write a checkpoint if the environment was just reset and the last checkpoint is long enough ago.

        Args:
            done: Number of steps done since the phase began.
            write: Writes more into the folder that it is given. What it writes is kept, except `AGENT_FILE`,
                of which only the newest is.
        """
        if self.recorder.is_between_episodes and done >= self.done + self._checkpoint_steps:
            self._checkpoint(done, write)

    def finish(self, write: Write | None = None) -> None:
        """Truncate the current episode and write the last checkpoint."""
        self.recorder.close_episode()
        self._checkpoint(self.steps, write)

    def restore_generators(self) -> None:
        """Restore the random generators of the last checkpoint; the environment must be reset next.

        Raises:
            CheckpointError: Their file is missing or damaged.
        """
        path = self.checkpoints[-1] / GENERATORS_FILE
        try:
            restore_generators(path, self.recorder)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise damaged_checkpoint(path.parent, error) from error

    def episodes(self) -> Iterator[EpisodeBuffer]:
        """Read all episodes up to the last checkpoint.

        Raises:
            CheckpointError: A file is missing or damaged.
        """
        try:
            yield from read_episodes([checkpoint / EPISODES_FILE for checkpoint in self.checkpoints])
        except (OSError, ValueError, KeyError) as error:
            raise damaged_checkpoint(self.checkpoints[-1], error) from error

    def _checkpoint(self, done: int, write: Write | None) -> None:
        before = self.checkpoints
        with new_folder(self._folder / f"{done:010}") as part:
            write_episodes(part / EPISODES_FILE, self.recorder.take())
            write_generators(part / GENERATORS_FILE, self.recorder, reset=self._generator_at_end)
            if write is not None:
                write(part)
            seal(part, {"done": done, "after": self.done})
        self.done = done
        for checkpoint in before:
            for name in NEWEST_ONLY:
                (checkpoint / name).unlink(missing_ok=True)

    def _after_step(self) -> None:
        if self.recorder.is_between_episodes:
            self._generator_at_end = reset_generator(self.recorder)
        if self._on_step is not None:
            self._on_step()


def _check(checkpoints: Sequence[Path]) -> None:
    """Refuse checkpoints unless each is as it was written and follows the one before."""
    done = 0
    for checkpoint in checkpoints:
        may_lack = () if checkpoint == checkpoints[-1] else NEWEST_ONLY
        try:
            about = verify(checkpoint, may_lack=may_lack)
        except CheckpointError as error:
            raise damaged_checkpoint(checkpoint, error) from error
        if about != {"done": int(checkpoint.name), "after": done}:
            raise damaged_checkpoint(checkpoint, CheckpointError(f"it does not follow step {done}"))
        done = int(checkpoint.name)


def damaged_checkpoint(folder: Path, error: Exception) -> CheckpointError:
    """Build the error for a checkpoint of a phase that cannot be read."""
    unfinished = folder.parents[1]
    return CheckpointError(
        f"The checkpoint {folder} cannot be read: {str(error).rstrip('.')}. "
        f"Delete {unfinished} to start again."
    )
