"""`LearnedVectorEnv`: many imagined episodes in one forward pass."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from offline_envs.envs.assembly import Parts, seeded_generator
from offline_envs.envs.drawn_elites import DrawnElites
from offline_envs.envs.halt_tally import HaltTally
from offline_envs.envs.info import RESET_MASK, START_OBS
from offline_envs.envs.learned_env import LARGEST_SEED, learned_spaces
from offline_envs.envs.reported import reported
from offline_envs.envs.step import Step
from offline_envs.errors import SettingsError, unknown_name

OUTPUTS = ("numpy", "torch")


class LearnedVectorEnv(VectorEnv[Any, Any, Any]):
    """`num_envs` imagined episodes advanced together, in torch on any device.

    It resets only the rows that it is told to (`reset(options={"reset_mask": mask})`); `Autoreset` adds the
    automatic modes. Everything returned is a fresh array or tensor that is never written to again.

    Args:
        num_envs: Number of episodes, n.
        parts: What the environment is made of.
        max_episode_steps: Steps after which an episode is truncated; None or −1 for never.
        output: `"numpy"` for float32 and bool arrays, `"torch"` for tensors on the model's device. Actions
            may be either.
        step_infos: Whether `step` reports what `LearnedEnv` has in `info`, of every row, `(n,)` each.

    Attributes:
        mdp: The MDP under it.
        transitions: The dataset.
        ensemble: All members of the model.
        parts: All that it is made of.
        output: `"numpy"` or `"torch"`.
        exploded: Rows whose last prediction was rejected, bool `(n,)`, on the model's device.
        halts: Whether unknown pairs of obs and action end an episode.
        halted: Rows whose last pair was unknown, bool `(n,)`, on the model's device.
        tally: Number of steps, episodes and halts so far, if `halts`.
    """

    def __init__(
        self,
        num_envs: int,
        parts: Parts,
        *,
        max_episode_steps: int | None = None,
        output: str = "numpy",
        step_infos: bool = False,
    ) -> None:
        if num_envs < 1:
            raise SettingsError(f"num_envs must be at least 1, got {num_envs}.")
        if output not in OUTPUTS:
            raise unknown_name("output", output, OUTPUTS)
        self.num_envs, self.parts, self.output = num_envs, parts, output
        self.mdp, self.transitions = parts.mdp, parts.transitions
        self.ensemble, self._starts = parts.ensemble, parts.starts
        self.single_observation_space, self.single_action_space = learned_spaces(parts.transitions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.autoreset_mode = AutoresetMode.DISABLED
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.max_episode_steps = _step_limit(max_episode_steps)
        self._step_infos = step_infos
        self._generator: torch.Generator | None = None
        self._obs: Tensor | None = None
        self._elapsed = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        self._over = torch.zeros(num_envs, dtype=torch.bool, device=self.device)
        self.exploded = torch.zeros(num_envs, dtype=torch.bool, device=self.device)
        self._total_exploded = torch.zeros((), dtype=torch.int64, device=self.device)
        self._halt, self._elites = parts.halt, DrawnElites(parts.mdp, parts.member)
        self.halts, self.tally = parts.halt is not None, HaltTally(num_envs, self.device)
        self.halted = torch.zeros_like(self.exploded)
        self._ends: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is computed and tensors are returned."""
        return self._starts.obs.device

    @property
    def obs(self) -> Tensor:
        """Where the rows stand, float32 `(n, d)`, on the model's device; not to be written to.

        Raises:
            gymnasium.error.ResetNeeded: There are no episodes yet.
        """
        return self._current()

    @property
    def n_exploded(self) -> int:
        """Number of steps whose prediction was rejected so far, over all rows whose episode was running."""
        return int(self._total_exploded)

    @property
    def reward_replaced(self) -> Tensor:
        """Rows whose last reward pessimism must leave alone: exploded or halted, bool `(n,)`."""
        return self.exploded | self.halted

    @property
    def n_halted(self) -> int:
        """Number of episodes that were halted so far."""
        return self.tally.n_halted

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start every episode, or only some.

        Args:
            seed: Restarts the random numbers of all rows.
            options: `{"reset_mask": bool (n,)}` resets only those rows; `{"obs": (n, d)}` starts from those
                observations (with a mask, only its rows are used).

        Raises:
            SettingsError: A mask or observation of the wrong shape or type, or a list of seeds.
        """
        if seed is not None and not isinstance(seed, (int, np.integer)):
            raise SettingsError(
                f"seed must be one integer for the whole batch or None, got {type(seed).__name__}."
            )
        options = options or {}
        mask = self._mask(options.get(RESET_MASK))
        given = self._given(options.get(START_OBS))
        super().reset(seed=None if seed is None else int(seed))
        if seed is not None or self._generator is None:
            self._generator = seeded_generator(int(self.np_random.integers(LARGEST_SEED)), self._starts.obs)
        obs = self._starts.draw(self.num_envs, self._generator) if given is None else given
        self._obs = obs if mask is None else torch.where(mask[:, None], obs, self._current())
        keep = torch.zeros_like(self._over) if mask is None else ~mask
        self._elapsed, self._over = self._elapsed * keep, self._over & keep
        self._elites.reset(self.num_envs, self._generator, mask)
        if self.halts:
            self.tally.reset(mask)
        return self._out(self._obs.clone()), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Imagine the next step of every episode.

        Args:
            actions: Actions in the real environment's units, `(n, k)`, an array or a tensor.

        Returns:
            Observations `(n, d)`, rewards, terminations and truncations `(n,)`, and infos.

        Raises:
            gymnasium.error.ResetNeeded: There are no episodes yet.
            SettingsError: Actions of another shape.
        """
        obs = self._current()
        assert self._generator is not None
        step = self.mdp.step(obs, self._actions(actions), self._generator, self._elites.elite)
        if self._ends is not None:
            step, self._ends = step._replace(terminated=step.terminated | self._ends), None
        self._obs, self.exploded, self.halted = step.next_obs, step.exploded, step.halted
        self._total_exploded += (step.exploded & ~self._over).sum()
        self._elapsed = self._elapsed + 1
        truncated = self._elapsed >= self.max_episode_steps
        self._over = self._over | step.terminated | truncated
        if self.halts:
            self.tally.step(step.halted, step.terminated | truncated)
        outputs = (step.next_obs.clone(), step.reward, step.terminated, truncated)
        next_obs, rewards, terminations, truncations = map(self._out, outputs)
        return next_obs, rewards, terminations, truncations, self._infos(step)

    def end_at_next_step(self, rows: Tensor) -> None:
        """Terminate the episodes of `rows`, bool `(n,)`, at the next step, as a wrapper may ask.

        An autoreset layer in between restarts them like any other row, with the same random numbers.
        """
        self._ends = rows

    def _current(self) -> Tensor:
        if self._obs is None:
            raise gym.error.ResetNeeded("Call reset() before step(), and without reset_mask the first time.")
        return self._obs

    def _actions(self, actions: Any) -> Tensor:
        if isinstance(actions, np.ndarray) and not actions.flags.writeable:
            actions = actions.copy()  # torch warns of an array that it must not write to
        tensor = torch.as_tensor(actions, dtype=torch.float32, device=self.device)
        if tensor.shape != self.action_space.shape:
            raise SettingsError(
                f"actions must have shape {self.action_space.shape}, got {tuple(tensor.shape)}."
            )
        return tensor

    def _mask(self, mask: Any) -> Tensor | None:
        if mask is None:
            return None
        tensor = torch.as_tensor(mask, device=self.device)
        if tensor.dtype != torch.bool or tensor.shape != (self.num_envs,):
            raise SettingsError(
                f"options['reset_mask'] must be bool of shape ({self.num_envs},), "
                f"got {tensor.dtype} of shape {tuple(tensor.shape)}."
            )
        return tensor

    def _given(self, obs: Any) -> Tensor | None:
        return None if obs is None else self._starts.given(obs, (self.num_envs, self.transitions.obs_dim))

    def _out(self, tensor: Tensor) -> Any:
        return tensor if self.output == "torch" else tensor.cpu().numpy()

    def _infos(self, step: Step) -> dict[str, Any]:
        if not self._step_infos:
            return {}
        return {name: self._out(value) for name, value in reported(step, self._halt).items()}


def _step_limit(max_episode_steps: int | None) -> float:
    if max_episode_steps is None or max_episode_steps == -1:  # −1 is how Gymnasium asks for no limit
        return float("inf")
    if max_episode_steps < 1:
        raise SettingsError(f"max_episode_steps must be at least 1, or None or -1, got {max_episode_steps}.")
    return max_episode_steps
