"""`LearnedEnv`: one imagined episode at a time, as an ordinary Gymnasium environment."""

from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box, Space
from torch import Tensor

from offline_envs.data import ObsSpace, Transitions, as_float32, flat_space
from offline_envs.envs.assembly import Assembly
from offline_envs.envs.episodes import Episodes
from offline_envs.envs.explosion_watch import ExplosionWatch
from offline_envs.envs.parts import LearnedParts, as_arrays
from offline_envs.mdp import check_reset_options
from offline_envs.settings import LARGEST_SEED
from offline_envs.simulator import RGB_ARRAY, Pictures


def learned_spaces(transitions: Transitions) -> tuple[ObsSpace, Space[Any]]:
    """Observation and action space of a learned environment of `transitions`, as an agent sees them.

    Observations are float32, with the bounds of the recorded space. Where there are none, as in the MuJoCo
    environments, a prediction may leave the range of the data.
    """
    obs_space: ObsSpace = Box(-np.inf, np.inf, (transitions.obs_dim,), np.float32)
    if transitions.obs_space is not None and transitions.history == 1:
        flat = transitions.agent_spaces.obs is None
        obs_space = flat_space(transitions.obs_space) if flat else as_float32(transitions.obs_space)
    actions = transitions.action_space
    if transitions.discrete_actions is not None:
        return obs_space, deepcopy(transitions.discrete_actions)  # each with a generator of its own
    return obs_space, Box(actions.low.astype(np.float32), actions.high.astype(np.float32), dtype=np.float32)


class LearnedEnv(LearnedParts, gym.Env[Any, Any]):
    """A learned MDP seen one episode at a time: `Episodes` of one row, in NumPy and Python scalars.

    ## Description
    Registered as `LearnedModel-v0` (the plain model, MBPO's offline use), `PenalizedModel-v0` (MOPO) and
    `PessimisticModel-v0` (MOReL).

    ## Spaces
    The dataset's actions, a Box, `Discrete` or `MultiDiscrete`; its observations in float32, a Box or
    a Dict, within their bounds: what is predicted beyond is clipped.

    ## Rewards
    The sampled reward of the chosen member, minus pessimism if there is any. `info` has `raw_reward` and
    `penalty`, whose difference is the reward unless it was replaced, and `exploded`. Where episodes are
    halted it also has `halted`, `disagreement` and `threshold`, and a halt yields `mdp.transform.reward`.

    ## Starting state
    An observation of the dataset, or `reset(options={"obs": obs})`.

    ## Episode end
    Terminated by the real environment's rule, when the prediction explodes (see `Guard`), or when the pair of
    obs and action is unknown (see `Halt`). Truncated by `max_episode_steps`, which `gym.make` handles.

    ## Pictures
    Those of the real environment in the state of the observation, where that is known, see `Pictures`.

    Args:
        assembly: The parts of the environment, see `assemble`.
        pictures: What draws its observations, or None.
    """

    metadata: dict[str, Any] = {"render_modes": [RGB_ARRAY]}  # noqa: RUF012  as Gymnasium has it

    def __init__(self, assembly: Assembly, pictures: Pictures | None = None) -> None:
        self._assembly = assembly
        self._pictures = pictures
        self.render_mode = None if pictures is None else RGB_ARRAY
        self.metadata = self._render_metadata()
        self.observation_space, self.action_space = learned_spaces(assembly.transitions)
        self._episodes = Episodes(1, assembly, max_steps=float("inf"), reports=True)
        self._row = torch.ones(1, dtype=torch.bool, device=self.device)
        self._explosions = ExplosionWatch(1)
        self._begun = False

    @property
    def reward_replaced(self) -> Tensor:
        """Whether the last reward was a fixed one that pessimism must leave alone, bool `(1,)`."""
        return self._episodes.replaced.clone()  # the next step writes there

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an imagined episode.

        Args:
            seed: Restarts the random numbers, of start states and of predictions alike.
            options: `{"obs": array (d,)}`, or a dict of arrays, starts from that observation; where
                columns are replayed, `{"row": t}` from row t of the dataset, which it follows.

        Returns:
            The observation, and infos with the keys of a step's, NaN or False: recorders of episodes, as
            Minari's `DataCollector`, want the same keys in every row.

        Raises:
            SettingsError: An unknown option, an observation of another shape, or one that is not finite.
        """
        given, row = self._given(check_reset_options(options, self._start_options), ())
        start, row = (None if value is None else value[None] for value in (given, row))
        super().reset(seed=seed)
        if seed is not None or not self._begun:
            self._episodes.generator.manual_seed(int(self.np_random.integers(LARGEST_SEED)))
            self._begun = True
        obs = self._observation(self._episodes.restart(self._row, start, row))
        return obs, dict(self._blank_infos)

    @cached_property
    def _blank_infos(self) -> dict[str, Any]:
        return _entries(self._episodes.blank_infos())

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Imagine the next step.

        Args:
            action: Action in the real environment's units, `(k,)`; an integer or `(m,)` if discrete.

        Raises:
            gymnasium.error.ResetNeeded: There is no episode yet.
            SettingsError: The action has another shape or, given on the CPU, is not finite or not in
                the space.
        """
        if not self._begun:
            raise gym.error.ResetNeeded("Call reset() before step().")
        chosen = self._columns(action, ())[None]
        (obs, reward, terminated, truncated), infos = self._episodes.advance(chosen)
        if self.monitor is not None:
            self.monitor.look()
        self._explosions.look(self._episodes.total_exploded)
        return self._observation(obs), float(reward), bool(terminated), bool(truncated), _entries(infos)

    def _observation(self, obs: Tensor) -> Any:
        row = obs[0].cpu().clone()  # a view would change with the next episode
        return as_arrays(self.transitions.agent_spaces.agent_obs(row))

    def render(self) -> Any:
        """Draw the current observation, uint8 `(height, width, 3)`.

        Raises:
            SettingsError: The environment was made without `render_mode="rgb_array"`, or this machine cannot
                draw.
            gymnasium.error.ResetNeeded: There is no episode yet.
        """
        return self._drawn()[0]

    def close(self) -> None:
        """Close what draws."""
        self._close_pictures()


def _entries(infos: Mapping[str, Tensor]) -> dict[str, Any]:
    """Infos of the row: Python scalars, or arrays where a method reports several numbers."""
    rows = {name: value[0] for name, value in infos.items()}
    return {name: row.item() if row.ndim == 0 else row.cpu().numpy() for name, row in rows.items()}
