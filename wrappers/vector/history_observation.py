"""`HistoryObservation` for vector environments."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from offline_envs.data import after_step, history_spaces, without_past
from offline_envs.envs import is_learned
from offline_envs.errors import SettingsError
from offline_envs.mdp import FINAL_OBS, FINAL_OBS_MASK, RESET_MASK
from offline_envs.settings import check_arguments


class HistoryObservation(VectorWrapper):
    """Let every observation hold a history; see `offline_envs.wrappers.HistoryObservation`.

    Works in every autoreset mode, with arrays. A row that restarts begins a new history: within the step in
    same-step mode, whose `infos["final_obs"]` get the history of the episode that ended; at the following
    step in next-step mode; at a reset by `reset_mask` where rows do not restart by themselves.

    Args:
        env: The vector environment; a learned one takes `history=` itself.
        history: Number of observations, k; 1 changes nothing.

    Raises:
        SettingsError: No integer of at least 1, other spaces, a learned environment, or one that does not say
            when its rows restart.
    """

    @check_arguments
    def __init__(self, env: VectorEnv[Any, Any, Any], history: int) -> None:
        super().__init__(env)
        if is_learned(env):
            raise SettingsError(
                "A learned environment takes the history itself, so that its model sees it: give history= to "
                "gym.make_vec, without this wrapper."
            )
        self._mode = env.metadata.get("autoreset_mode")
        if not isinstance(self._mode, AutoresetMode):
            raise SettingsError(
                f"A history starts afresh where rows restart, so metadata['autoreset_mode'] must be a "
                f"gymnasium.vector.AutoresetMode, got {self._mode!r}."
            )
        self.layout, self.single_observation_space = history_spaces(
            env.single_observation_space, env.single_action_space, history
        )
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._obs: NDArray[Any] = np.empty(0, self.single_observation_space.dtype)
        self._finished = np.zeros(env.num_envs, dtype=np.bool_)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start every row, or those of `options["reset_mask"]`, with a fresh history."""
        given = (options or {}).get(RESET_MASK)
        mask = None if given is None else np.array(given)  # Gymnasium takes it out of the options
        obs, infos = self.env.reset(seed=seed, options=options)
        fresh = self._fresh(obs)
        self._obs = fresh if mask is None else np.where(mask[:, None], fresh, self._obs)
        self._finished &= False if mask is None else ~mask
        return self._obs.copy(), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every row, and move its history by its action."""
        before = self._obs
        obs, rewards, terminations, truncations, infos = self.env.step(actions)
        done = np.asarray(terminations | truncations)
        restarted = done if self._mode == AutoresetMode.SAME_STEP else self._finished
        self._obs = self._after_step(obs, actions, before)
        if self._mode != AutoresetMode.DISABLED and restarted.any():
            self._obs = np.where(restarted[:, None], self._fresh(obs), self._obs)
        self._finished = done
        infos = self._with_final(infos, actions, before)
        return self._obs.copy(), rewards, terminations, truncations, infos

    def _fresh(self, obs: Any) -> NDArray[Any]:
        return without_past(obs, self.env.single_action_space, self.layout, self._obs.dtype)

    def _after_step(self, obs: Any, action: Any, before: NDArray[Any]) -> NDArray[Any]:
        return after_step(obs, action, before, self.layout, self.env.single_action_space)

    def _with_final(self, infos: dict[str, Any], actions: Any, before: NDArray[Any]) -> dict[str, Any]:
        """The infos, whose last observations of episodes get their history."""
        final: Any = infos.get(FINAL_OBS)
        if final is None:
            return infos
        if final.dtype != object:
            return {**infos, FINAL_OBS: self._after_step(final, actions, before)}
        return {**infos, FINAL_OBS: self._each_final(infos, actions, before)}

    def _each_final(self, infos: Mapping[str, Any], actions: Any, before: NDArray[Any]) -> NDArray[Any]:
        """The same where only the rows that ended have one, as in Gymnasium's own environments."""
        found = infos[FINAL_OBS].copy()
        for row in np.flatnonzero(infos[FINAL_OBS_MASK]):
            found[row] = self._after_step(found[row], actions[row], before[row])
        return np.asarray(found)
