"""`EpisodeRecorder`: a wrapper that records every step of an environment, by episode."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from minari.data_collector import EpisodeBuffer
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
InfoShape = tuple[str, tuple[int, ...]]
"""Name of an info, and the shape of one of its rows."""


class EpisodeRecorder(gym.Wrapper[Any, Any, Any, Any]):
    """Record observations, actions, rewards, true ends and infos of every step.

    Apply it outside `TimeLimit`, so that it sees truncations, and inside any wrapper that resets by itself,
    so that it sees the final observation of an episode. Actions in a Box are clipped to the space before the
    environment receives them, because rounding may put them outside; the clipped actions are recorded.

    Args:
        env: Environment with Box observations, and Box or discrete actions.
        on_step: Called after every step, e.g. to advance a progress bar.
    """

    def __init__(self, env: gym.Env[Any, Any], on_step: Callable[[], None] | None = None) -> None:
        super().__init__(env)
        self._on_step = on_step
        self._closed: list[EpisodeBuffer] = []
        self._open = _Episode()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        """Begin an episode; an unfinished one is closed as truncated."""
        self.close_episode()
        obs, info = self.env.reset(seed=seed, options=options)
        self._open = _Episode(obs=[_float32(obs)])
        return obs, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one step and record it."""
        space = self.env.action_space
        if isinstance(space, Box):
            action = np.clip(np.asarray(action, dtype=np.float32), space.low, space.high)
        else:
            action = np.array(action)  # a choice; the agent may reuse its array
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._open.add(_float32(obs), action, float(reward), bool(terminated), bool(truncated), info)
        if terminated or truncated:
            self.close_episode()
        if self._on_step is not None:
            self._on_step()
        return obs, reward, terminated, truncated, info

    @property
    def is_between_episodes(self) -> bool:
        """Whether no step has been taken since the last end or reset."""
        return not self._open.actions

    def close_episode(self) -> None:
        """Close the current episode as truncated, if it has a step."""
        if self._open.actions:
            self._closed.append(self._open.to_buffer(len(self._closed)))
            self._open = _Episode()

    def take(self) -> list[EpisodeBuffer]:
        """Return the closed episodes and drop them from the recorder.

        Returns:
            Episodes of T steps: float32 observations `(T+1, d)`, actions `(T, k)`, rewards `(T,)`, bool flags
            `(T,)`, and float32 infos of T+1 rows, of which the first belongs to the reset and is 0. Infos
            that some step lacks are dropped. Discrete actions are integers, `(T,)` or `(T, m)`.
        """
        taken, self._closed = self._closed, []
        keep_shared_infos(taken)
        return taken

    def finish(self) -> list[EpisodeBuffer]:
        """Close the current episode as truncated and return all episodes, as `take` does."""
        self.close_episode()
        return self.take()


class _Episode:
    """The steps of one episode so far."""

    def __init__(self, obs: list[NDArray[np.float32]] | None = None) -> None:
        self.obs = obs or []
        self.actions: list[NDArray[Any]] = []
        self.rewards: list[float] = []
        self.terminations: list[bool] = []
        self.truncations: list[bool] = []
        self.infos: list[Arrays] = []

    def add(
        self,
        obs: NDArray[np.float32],
        action: NDArray[Any],
        reward: float,
        terminated: bool,
        truncated: bool,
        info: Mapping[str, Any],
    ) -> None:
        self.obs.append(obs)
        self.actions.append(action)
        self.rewards.append(reward)
        self.terminations.append(terminated)
        self.truncations.append(truncated)
        self.infos.append({name: _float32(value) for name, value in info.items() if _is_number(value)})

    def to_buffer(self, episode_id: int) -> EpisodeBuffer:
        ended = self.terminations[-1] or self.truncations[-1]
        arrays: dict[str, Any] = {  # Minari's annotations say lists; its storage takes arrays.
            "observations": np.stack(self.obs),
            "actions": np.stack(self.actions),
            "rewards": np.array(self.rewards, dtype=np.float32),
            "terminations": np.array(self.terminations),
            "truncations": np.array([*self.truncations[:-1], self.truncations[-1] or not ended]),
        }
        return EpisodeBuffer(id=episode_id, infos=_stack_infos(self.infos), **arrays)


def _stack_infos(rows: list[Arrays]) -> Arrays:
    """Stack the infos that every row has, in one shape, under a first row of zeros."""
    first = rows[0]
    names = [n for n in first if all(n in row and row[n].shape == first[n].shape for row in rows)]
    return {n: np.stack([np.zeros_like(first[n]), *(row[n] for row in rows)]) for n in names}


def _float32(value: Any) -> NDArray[np.float32]:
    return np.array(value, dtype=np.float32)  # A copy: environments may reuse what they return.


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number | np.bool_) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    )


def infos_of(episode: EpisodeBuffer) -> Arrays:
    """Return the infos of an episode by name, T+1 rows each."""
    assert isinstance(episode.infos, dict)
    return episode.infos


def keep_shared_infos(episodes: Sequence[EpisodeBuffer]) -> None:
    """Delete, in place, the infos that not every episode has in one shape."""
    shared = shared_infos(set(info_shapes(infos_of(episode))) for episode in episodes)
    for episode in episodes:
        infos = infos_of(episode)
        for name, _ in set(info_shapes(infos)) - shared:
            del infos[name]


def info_shapes(infos: Arrays) -> list[InfoShape]:
    """Name and row shape of every info."""
    return [(name, array.shape[1:]) for name, array in infos.items()]


def shared_infos(names: Iterable[set[InfoShape]]) -> set[InfoShape]:
    """The infos that all episodes have in one shape."""
    every = list(names)
    return set.intersection(*every) if every else set()
