"""`Shot`: an episode that a film shows, imagined, simulated or recorded."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from offline_envs.data import Transitions
from offline_envs.envs import LearnedEnv
from offline_envs.errors import SettingsError
from offline_envs.mdp import START_OBS, START_ROW
from offline_envs.simulator import Simulator

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Shot:
    """An episode of T steps.

    Attributes:
        title: What it is.
        obs: Observations, float32 `(T + 1, d)`.
        rewards: Rewards, `(T,)`.
        ended: Whether the episode came to its end, and not only the film to its own.
    """

    title: str
    obs: Array
    rewards: Array
    ended: bool

    def __len__(self) -> int:
        return len(self.rewards)


class Actor(Protocol):
    """What chooses the actions of a shot; `offline_envs.policies.Acting` is one."""

    def begin(self) -> None:
        """Forget the episode: another one begins."""

    def __call__(self, obs: Any, /) -> Any:
        """Choose the action `(k,)` of the next observation `(d,)`."""


class Replay:
    """Chooses the recorded actions of an episode, whatever happens.

    Args:
        transitions: The dataset.
        episode: Number of the episode.
    """

    def __init__(self, transitions: Transitions, episode: int) -> None:
        self._actions = transitions.actions[_rows(transitions, episode)].numpy()
        self._next = 0

    def __len__(self) -> int:
        return len(self._actions)

    def begin(self) -> None:
        """See `Actor`."""
        self._next = 0

    def __call__(self, obs: Any, /) -> Array:
        """See `Actor`."""
        del obs  # Unused.
        self._next += 1
        action: Array = self._actions[self._next - 1]
        return action


def recorded(transitions: Transitions, episode: int, n_steps: int) -> Shot:
    """The first `n_steps` of an episode of the dataset."""
    rows = _rows(transitions, episode)
    shown = slice(rows.start, min(rows.start + n_steps, rows.stop))
    obs = torch.cat([transitions.obs[shown.start : shown.start + 1], transitions.next_obs[shown]])
    rewards = transitions.rewards[shown].numpy()
    return Shot("recorded", obs.numpy(), rewards, ended=shown.stop == rows.stop)


def imagined(env: LearnedEnv, episode: int, actor: Actor, n_steps: int, *, seed: int) -> Shot:
    """What a model imagines from the first state of an episode of its dataset.

    Args:
        env: The learned environment, without a time limit.
        episode: Number of the episode.
        actor: What acts in it.
        n_steps: Most steps.
        seed: Seed of the imagined steps.
    """
    row = _rows(env.transitions, episode).start
    replays = env.mdp.replay is not None
    start = {START_ROW: row} if replays else {START_OBS: env.transitions.obs[row].numpy()}
    obs, _ = env.reset(seed=seed, options=start)
    actor.begin()
    observations, ended = [obs], False
    rewards: list[float] = []
    while len(rewards) < n_steps and not ended:
        obs, reward, terminated, truncated, _ = env.step(actor(obs))
        ended = terminated or truncated
        observations.append(obs)
        rewards.append(reward)
    return Shot("model", np.stack(observations), np.array(rewards, np.float32), ended)


def simulated(transitions: Transitions, episode: int, actor: Actor, n_steps: int) -> Shot:
    """What the simulator does from the first state of an episode.

    Args:
        transitions: The dataset.
        episode: Number of the episode.
        actor: What acts in it, on observations with the history of the dataset's.
        n_steps: Most steps.

    Raises:
        OfflineEnvsError: See `check_simulated`.
    """
    check_simulated(transitions, episode)
    start = transitions.obs[_rows(transitions, episode).start]
    newest = start[: transitions.newest.obs_dim].numpy()
    simulator = Simulator.of(transitions.newest)
    try:
        actor.begin()
        seen = _Remembering(transitions, start)
        found = simulator.episode(newest, lambda t, obs: seen.act(actor, t, obs), n_steps)
    finally:
        simulator.close()
    obs, _, rewards = found
    return Shot("simulator", obs, rewards, ended=len(rewards) < n_steps)


def check_simulated(transitions: Transitions, episode: int) -> None:
    """Refuse an episode from whose first state the simulator cannot start.

    Raises:
        SettingsError: The simulator cannot be set to the state, see `Simulator`.
        DatasetError: The environment cannot be made.
    """
    start = transitions.newest.obs[_rows(transitions, episode).start].numpy()
    simulator = Simulator.of(transitions.newest)
    simulator.close()
    if not simulator.layout.is_exact(start):
        raise SettingsError(
            f"Episode {episode} of {transitions.source} begins with a velocity that was clipped, which does "
            "not tell the state. Choose another episode."
        )


class _Remembering:
    """Observations of a simulator with the history that a dataset's have."""

    def __init__(self, transitions: Transitions, start: torch.Tensor) -> None:
        self._layout = transitions.layout if transitions.history > 1 else None
        self._obs, self._action = start, torch.empty(0)

    def act(self, actor: Actor, t: int, obs: Array) -> Array:
        newest = torch.from_numpy(obs)
        if self._layout is None:
            self._obs = newest
        elif t > 0:
            self._obs = torch.cat([newest, self._layout.moved(self._obs[None], self._action[None])[0]])
        action: Array = np.asarray(actor(self._obs.numpy()), dtype=np.float32)
        self._action = torch.from_numpy(action)
        return action


def _rows(transitions: Transitions, episode: int) -> slice:
    n = len(transitions.episode_starts)
    if not 0 <= episode < n:
        raise SettingsError(f"The episode must be from 0 to {n - 1}, got {episode}.")
    first = int(transitions.episode_starts[episode])
    return slice(first, first + int(transitions.episode_lengths[episode]))
