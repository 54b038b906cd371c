"""`LearnedEnv`: one imagined episode at a time, as an ordinary Gymnasium environment."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray

from offline_envs.data import Transitions
from offline_envs.envs.assembly import Parts, seeded_generator
from offline_envs.errors import SettingsError
from offline_envs.mdp.infos import START_OBS, reported
from offline_envs.mdp.mdp import LearnedMDP
from offline_envs.mdp.samplers import DrawnElites
from offline_envs.methods.halt_counter import HaltTally

LARGEST_SEED = 2**63 - 1

Array = NDArray[np.float32]


def learned_spaces(transitions: Transitions) -> tuple[Box, Box]:
    """Observation and action space of a model of `transitions`.

    Observations are float32 and unbounded, as those of the MuJoCo environments are: a prediction may leave
    the range of the data.
    """
    obs_space = Box(-np.inf, np.inf, (transitions.obs_dim,), np.float32)
    actions = transitions.action_space
    return obs_space, Box(actions.low.astype(np.float32), actions.high.astype(np.float32), dtype=np.float32)


class LearnedEnv(gym.Env[Any, Any]):
    """A learned MDP seen one episode at a time: a batch of one, in NumPy and Python scalars.

    ## Description
    Registered as `LearnedModel-v0` (the model alone, MBPO's offline use), `PenalizedModel-v0` (MOPO) and
    `PessimisticModel-v0` (MOReL).

    ## Spaces
    The dataset's actions; float32 observations without bounds.

    ## Rewards
    The sampled reward of the chosen member, minus pessimism if there is any. `info` has `raw_reward` and
    `penalty`, whose difference the reward is unless it was replaced, and `exploded`. Where episodes are
    halted it also has `halted`, `disagreement` and `threshold`, and a halt pays `mdp.pessimism.reward`.

    ## Starting state
    An observation of the dataset, or `reset(options={"obs": obs})`.

    ## Episode end
    Terminated by the real environment's rule, when the prediction explodes (see `Guard`), or when the pair of
    obs and action is unknown (see `Halt`). Truncated by `max_episode_steps`, which `gym.make` handles.

    Args:
        parts: What the environment is made of.

    Attributes:
        mdp: The MDP under it.
        transitions: The dataset.
        ensemble: All members of the model.
        n_exploded: Number of steps whose prediction was rejected so far.
        halts: Whether unknown pairs end an episode.
        tally: Number of steps, episodes and halts so far, if `halts`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  Gymnasium declares it on the instance

    def __init__(self, parts: Parts) -> None:
        self.mdp: LearnedMDP = parts.mdp
        self.transitions, self.ensemble, self._starts = parts.transitions, parts.ensemble, parts.starts
        self.observation_space, self.action_space = learned_spaces(parts.transitions)
        self._halt, self._elites = parts.halt, DrawnElites(parts.mdp, parts.member)
        self.n_exploded = 0
        self.halts, self.tally = parts.halt is not None, HaltTally(1, self.device)
        self.exploded = self.halted = torch.zeros(1, dtype=torch.bool)
        self._obs: torch.Tensor | None = None
        self._generator: torch.Generator | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is computed."""
        return self._starts.obs.device

    @property
    def reward_replaced(self) -> torch.Tensor:
        """Rows whose last reward pessimism must leave alone: exploded or halted, bool `(1,)`."""
        return self.exploded | self.halted

    @property
    def n_halted(self) -> int:
        """Number of episodes that were halted so far."""
        return self.tally.n_halted

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an imagined episode.

        Args:
            seed: Restarts the random numbers, of start states and of predictions alike.
            options: `{"obs": array (d,)}` starts from that observation.

        Raises:
            SettingsError: An observation of another shape, or one that is not finite.
        """
        given = (options or {}).get(START_OBS)
        start = None if given is None else self._starts.given(given, (self.transitions.obs_dim,))
        super().reset(seed=seed)
        if seed is not None or self._generator is None:
            self._generator = seeded_generator(int(self.np_random.integers(LARGEST_SEED)), self._starts.obs)
        self._obs = self._starts.draw(1, self._generator) if start is None else start[None]
        self._elites.reset(1, self._generator)
        if self.halts:
            self.tally.reset()
        self.exploded = self.halted = torch.zeros(1, dtype=torch.bool)
        return self._observation(), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Imagine the next step.

        Args:
            action: Action in the real environment's units, `(k,)`.

        Raises:
            gymnasium.error.ResetNeeded: There is no episode yet.
            SettingsError: The action has another shape.
        """
        if self._obs is None or self._generator is None:
            raise gym.error.ResetNeeded("Call reset() before step().")
        action_row = torch.tensor(np.asarray(action), dtype=torch.float32, device=self.device)
        if action_row.shape != self.action_space.shape:
            raise SettingsError(
                f"An action must have shape {self.action_space.shape}, got {tuple(action_row.shape)}."
            )
        step = self.mdp.step(self._obs, action_row[None], self._generator, self._elites.elite)
        self._obs, self.exploded, self.halted = step.next_obs, step.exploded, step.halted
        self.n_exploded += int(step.exploded)
        if self.halts:
            self.tally.step(step.halted, step.terminated)
        info = {name: value.item() for name, value in reported(step, self._halt).items()}
        return self._observation(), float(step.reward), bool(step.terminated), False, info

    def _observation(self) -> Array:
        assert self._obs is not None
        return np.array(self._obs[0].cpu().numpy(), copy=True)  # a view would change with the next episode
