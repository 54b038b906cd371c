"""`LearnedVectorEnv`: many imagined episodes in one forward pass."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from offline_envs.envs.assembly import Assembly
from offline_envs.envs.autoreset import without_reset_rows
from offline_envs.envs.episodes import Episodes, Outcome
from offline_envs.envs.explosion_watch import ExplosionWatch
from offline_envs.envs.learned_env import learned_spaces
from offline_envs.envs.parts import LearnedParts, as_arrays
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.kernels import CapturedCall
from offline_envs.mdp import RESET_MASK, as_tensor, check_reset_options
from offline_envs.settings import LARGEST_SEED, check_arguments, checked
from offline_envs.simulator import RGB_ARRAY, Pictures

OUTPUTS = ("numpy", "torch")

FINISHED = "finished"
"""Rows that wait for their restart, in the state."""

WATCH = "explosions"
"""What the watch of rejected predictions has counted, in the state."""


class LearnedVectorEnv(LearnedParts, VectorEnv[Any, Any, Any]):
    """`num_envs` imagined episodes advanced together, in torch on any device.

    It resets only the rows of a mask (`reset(options={"reset_mask": mask})`); `Autoreset` adds the
    automatic modes. Everything returned is a fresh array or tensor that is never written to again.

    On a CUDA device a step is replayed as a graph, and a reset by mask as another, once each has run a few
    times; with tensors in and out, nothing waits for the device except, periodically, a method's
    monitor and the count of rejected predictions.

    Args:
        num_envs: Number of episodes, n.
        assembly: The parts of the environment, see `assemble`.
        max_episode_steps: Steps after which an episode is truncated; None or −1 for never.
        output: `"numpy"` for float32 and bool arrays, `"torch"` for tensors on the model's device. Actions
            may be either.
        step_infos: Whether `step` reports the entries of `LearnedEnv`'s `info`, `(n,)` each.
        capture: Whether to replay graphs on a CUDA device. They keep the values that a user's
            termination rule read on the host at capture; without graphs it reads them at every step.
        pictures: What draws observations, or None.

    Attributes:
        output: `"numpy"` or `"torch"`.
        step_infos: See above.
        capture: See above.
        finished: Rows of the last step that an autoreset layer restarts later, bool `(n,)`; None where there
            is no such layer, and before the first step after a reset of all rows.
    """

    @check_arguments
    def __init__(
        self,
        num_envs: int,
        assembly: Assembly,
        *,
        max_episode_steps: int | None = None,
        output: str = "numpy",
        step_infos: bool = False,
        capture: bool = True,
        pictures: Pictures | None = None,
    ) -> None:
        check_vector_settings(
            num_envs,
            max_episode_steps=max_episode_steps,
            output=output,
            step_infos=step_infos,
            capture=capture,
        )
        self.num_envs = num_envs
        self.output = output
        self.step_infos = step_infos
        self._assembly = assembly
        self.single_observation_space, self.single_action_space = learned_spaces(assembly.transitions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.autoreset_mode = AutoresetMode.DISABLED
        self._pictures = pictures
        self.render_mode = None if pictures is None else RGB_ARRAY
        self.metadata = {**self._render_metadata(), "autoreset_mode": self.autoreset_mode}
        self.capture = capture
        self._captures = capture and self.device.type == "cuda"
        limit = _step_limit(max_episode_steps)
        self._episodes = Episodes(num_envs, assembly, max_steps=limit, reports=step_infos)
        self._explosions = ExplosionWatch(num_envs)
        self._begun, self._looks = False, True
        self.finished: Any = None
        self._step: Callable[[Tensor], Outcome] = self._replayed(self._episodes.advance, "step")
        self._restart: Callable[[Tensor], Tensor] = self._replayed(self._episodes.restart, "reset")

    @property
    def max_episode_steps(self) -> float:
        """Steps after which an episode is truncated, infinity for never; it may be set, also in an episode.

        Raises:
            SettingsError: Set to something else than an integer of at least 1, None or −1.
        """
        return self._episodes.max_steps

    @max_episode_steps.setter
    def max_episode_steps(self, limit: int | None) -> None:
        self._episodes.max_steps = _step_limit(checked("max_episode_steps", int | None, limit))

    @property
    def obs(self) -> Tensor:
        """A copy of the current observations, float32 `(n, d)`, on the model's device.

        Raises:
            gymnasium.error.ResetNeeded: There are no episodes yet.
        """
        self._check_begun()
        return self._episodes.obs.clone()

    @property
    def exploded(self) -> Tensor:
        """Rows whose last prediction was rejected, bool `(n,)`, on the model's device."""
        return self._episodes.exploded.clone()

    @property
    def reward_replaced(self) -> Tensor:
        """Rows whose last reward was a fixed one that pessimism must leave alone, bool `(n,)`."""
        return self._episodes.replaced.clone()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start every episode, or only some.

        Args:
            seed: Restarts the random numbers of all rows.
            options: `{"reset_mask": bool (n,)}` resets only those rows; `{"obs": (n, d)}` starts from those
                observations (with a mask, only its rows are used); where columns are replayed,
                `{"row": (n,)}` from these rows of the dataset, which they follow.

        Raises:
            SettingsError: An unknown option, a mask or observation of the wrong shape or type, or a list of
                seeds.
        """
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
            raise SettingsError(
                f"seed must be one integer for the whole batch or None, got {type(seed).__name__}."
            )
        chosen = check_reset_options(options, (RESET_MASK, *self._start_options))
        mask = self._mask(chosen.get(RESET_MASK))
        given, dataset_rows = self._given(chosen, (self.num_envs,), mask)
        if mask is not None:
            self._check_begun()
        super().reset(seed=None if seed is None else int(seed))
        if seed is not None or not self._begun:
            self._episodes.generator.manual_seed(int(self.np_random.integers(LARGEST_SEED)))
            self._begun = True
        self.finished = without_reset_rows(self.finished, options)
        if mask is not None and given is None:
            return self._out_obs(self._restart(mask)), {}
        rows = torch.ones(self.num_envs, dtype=torch.bool, device=self.device) if mask is None else mask
        return self._out_obs(self._episodes.restart(rows, given, dataset_rows)), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Imagine the next step of every episode.

        Args:
            actions: Actions in the real environment's units, `(n, k)`, an array or a tensor; discrete ones
                are integers, `(n,)` or `(n, m)`.

        Returns:
            Observations `(n, d)`, or by name if they are a Dict, rewards, terminations and truncations
            `(n,)`, and infos.

        Raises:
            gymnasium.error.ResetNeeded: There are no episodes yet.
            SettingsError: Actions of another shape or, given on the CPU, not finite or not in the space.
        """
        self._check_begun()
        outcome, infos = self._step(self._columns(actions, (self.num_envs,)))
        if self._looks:
            self.look()
        next_obs, *others = outcome
        rewards, terminations, truncations = map(self._out, others)
        reported = {name: self._out(value) for name, value in infos.items()}
        return self._out_obs(next_obs), rewards, terminations, truncations, reported

    def look(self) -> None:
        """Check the counts of ended and rejected rows now and then, which waits for the device."""
        if self.monitor is not None:
            self.monitor.look()
        self._explosions.look(self._episodes.total_exploded)

    @contextmanager
    def inlined(self) -> Iterator[None]:
        """Let steps and resets by mask inside be parts of a larger graph: without graphs of their own.

        Nothing waits for the device. Afterwards, `look` has to be called once for each step.

        Yields:
            Nothing.
        """
        before = self._step, self._restart
        self._step, self._restart, self._looks = self._episodes.advance, self._episodes.restart, False
        try:
            yield
        finally:
            (self._step, self._restart), self._looks = before, True

    @property
    def generator(self) -> torch.Generator:
        """Source of the random numbers of all episodes."""
        return self._episodes.generator

    def render(self) -> tuple[Any, ...]:
        """Draw the current observation of every row, uint8 `(height, width, 3)` each.

        Raises:
            SettingsError: The environment was made without `render_mode="rgb_array"`, or this machine cannot
                draw.
            gymnasium.error.ResetNeeded: There are no episodes yet.
        """
        return self._drawn()

    def close_extras(self, **kwargs: Any) -> None:
        """Close what draws."""
        del kwargs  # Unused.
        self._close_pictures()

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of the episodes' state and random numbers, by name, to be resumed by `load_state_dict`.

        Among them are the rows that wait for their restart (`finished`), but not what wrappers remember.

        Raises:
            gymnasium.error.ResetNeeded: There are no episodes yet.
        """
        self._check_begun()
        state = self._episodes.state_dict() | {WATCH: self._explosions.state()}
        if self.finished is not None:
            state[FINISHED] = torch.as_tensor(self.finished).clone()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue the episodes that `state_dict` described, with the same random numbers.

        Args:
            state: State of an environment of the same model, method, autoreset mode and number of rows. One
                of an earlier version may lack `finished`: rows that are over then wait for their restart.

        Raises:
            SettingsError: State of another number of rows, observation dimensions or another method.
        """
        obs = state.get("obs")
        if obs is None or obs.shape != self._episodes.obs.shape:
            found = None if obs is None else tuple(obs.shape)
            raise SettingsError(
                f"The state is that of another environment: its obs must have shape "
                f"{tuple(self._episodes.obs.shape)}, got {found}."
            )
        self._episodes.load_state_dict(state)
        self._explosions.resume(state.get(WATCH))
        over = state["over"]
        finished = state.get(FINISHED, over if over.any() else None)
        self.finished = None if finished is None else self._out(finished.to(self.device, copy=True))
        self._begun = True

    def end_at_next_step(self, rows: Tensor) -> None:
        """Terminate the episodes of `rows`, bool `(n,)`, at the next step, as a wrapper may ask.

        An autoreset layer in between restarts them like any other row, with the same random numbers.
        """
        self._episodes.ends.copy_(rows)

    def truncate_at_next_step(self, rows: Tensor) -> None:
        """Truncate the episodes of `rows` at the next step, unless they terminate; see `end_at_next_step`."""
        self._episodes.cuts.copy_(rows)

    def _replayed(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        if not self._captures:
            return function
        name = f"the {name} of a vector environment"
        return CapturedCall(function, name=name, generators=[self._episodes.generator])

    def _check_begun(self) -> None:
        if not self._begun:
            raise gym.error.ResetNeeded("Call reset() before step(), and without reset_mask the first time.")

    def _mask(self, mask: Any) -> Tensor | None:
        if mask is None:
            return None
        tensor = as_tensor("options['reset_mask']", mask).to(self.device)
        if tensor.dtype != torch.bool or tensor.shape != (self.num_envs,):
            raise SettingsError(
                f"options['reset_mask'] must be bool of shape ({self.num_envs},), "
                f"got {tensor.dtype} of shape {tuple(tensor.shape)}."
            )
        return tensor

    def _out_obs(self, obs: Tensor) -> Any:
        """Observations to return, by name if agents see a Dict."""
        spaces = self.transitions.agent_spaces
        if self.output != "torch":
            return as_arrays(spaces.agent_obs(obs.cpu()))
        return spaces.agent_obs(self._out(obs))

    def _out(self, tensor: Tensor) -> Any:
        """A result to return: a copy, since a graph writes to its own tensors again."""
        if self.output != "torch":
            return tensor.cpu().numpy()
        return tensor.clone() if self._captures else tensor


@check_arguments
def check_vector_settings(
    num_envs: int, *, max_episode_steps: int | None, output: str, step_infos: bool, capture: bool
) -> None:
    """Refuse settings of a `LearnedVectorEnv`; no model is needed for that.

    Raises:
        SettingsError: A value of the wrong type or out of range.
    """
    del step_infos, capture  # bools, as their annotations say
    if num_envs < 1:
        raise SettingsError(f"num_envs must be at least 1, got {num_envs}.")
    if output not in OUTPUTS:
        raise unknown_name("output", output, OUTPUTS)
    _step_limit(max_episode_steps)


def _step_limit(max_episode_steps: int | None) -> float:
    if max_episode_steps is None or max_episode_steps == -1:  # −1 is Gymnasium's way to ask for no limit
        return float("inf")
    if max_episode_steps < 1:
        raise SettingsError(f"max_episode_steps must be at least 1, or None or -1, got {max_episode_steps}.")
    return max_episode_steps
