"""`MatchSpaces` for vector environments."""

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from offline_envs.mdp import FINAL_OBS
from offline_envs.wrappers.spaces import cast, check_match, spaces_of


class MatchSpaces(VectorWrapper):
    """Give every row the spaces of another environment; see `offline_envs.wrappers.MatchSpaces`.

    Works in every autoreset mode and with arrays or tensors.

    Args:
        env: The vector environment.
        to: What has the wanted spaces: an environment, single or vector, or an agent.

    Raises:
        SettingsError: Spaces that are not boxes of the same shapes, or actions with other bounds.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], to: Any) -> None:
        super().__init__(env)
        spaces, inner = spaces_of(to), spaces_of(env)
        check_match(inner, spaces)
        self._inner_action_type = inner.action_space.dtype
        self._obs_type = spaces.observation_space.dtype
        self.single_observation_space, self.single_action_space = spaces
        self.observation_space, self.action_space = (batch_space(space, env.num_envs) for space in spaces)

    @property
    def autoreset_mode(self) -> Any:
        """The autoreset mode of the environment, which TorchRL reads as an attribute."""
        return self.env.metadata.get("autoreset_mode")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset every row, or some."""
        obs, infos = self.env.reset(seed=seed, options=options)
        return cast(obs, self._obs_type), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every row."""
        obs, *outcome, infos = self.env.step(cast(actions, self._inner_action_type))
        final = infos.get(FINAL_OBS)
        if final is not None:
            infos = {**infos, FINAL_OBS: _cast_final(final, self._obs_type)}
        return cast(obs, self._obs_type), *outcome, infos


def _cast_final(final: Any, dtype: Any) -> Any:
    """Final observations in another type: rows `(n, d)`, or objects `(n,)`, None where no episode ended."""
    if getattr(final, "dtype", None) != np.dtype(object):
        return cast(final, dtype)
    rows = np.full(len(final), None, dtype=object)
    for row, obs in enumerate(final):
        if obs is not None:
            rows[row] = cast(obs, dtype)
    return rows
