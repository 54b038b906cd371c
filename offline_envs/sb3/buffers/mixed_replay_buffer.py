"""`MixedReplayBuffer`: every batch has a fixed share of the dataset, the rest from the model."""

from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray
from stable_baselines3.common.buffers import BaseBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from offline_envs.data import DatasetSource, Transitions
from offline_envs.envs import Rollout
from offline_envs.errors import SettingsError
from offline_envs.sb3.buffers.rows import (
    RowLayout,
    action_size,
    check_actions,
    check_box,
    flat_size,
    rows_of_rollout,
    write_transitions,
)
from offline_envs.sb3.buffers.support import check_settings, is_reference, on_host, truncated_rows
from offline_envs.settings import check_arguments
from offline_envs.tasks import Task, task_transitions

DRAWN_AHEAD = 1024
"""Most batches whose numbers of rows are sent to the device together."""


class MixedReplayBuffer(ReplayBuffer):
    """A replay buffer with a fixed share of every batch from a dataset: `int(batch_size * real_ratio)` rows.

    MBPO and MOPO train on such batches (`real_ratio` in the code of Janner et al. 2019 and Yu et al. 2020).
    Filling SB3's own buffer with the dataset once is not the same: the ring overwrites it, the share decays.
    Here the dataset stays, and the ring beside it keeps the latest `buffer_size` transitions of the model.
    While the ring is empty, batches come only from the dataset.

    Memory: `dataset + buffer_size` rows of `2 * obs_dim + action_dim + 2` float32 numbers, on `device`.

    The dataset is read at the first `add` or `sample`, so that loading a saved policy needs no dataset; `use`
    takes it from memory instead. Rows are drawn by a NumPy generator that is seeded, at construction, from
    NumPy's global one, which SB3 seeds with the agent's `seed` before it makes the buffer: the same seed
    gives the same batches.

    `agent.save` keeps these settings: give the dataset by id or path, or the file holds a copy of it.
    `agent.save_replay_buffer` writes the model's rows, and the dataset's only if it was given as arrays.

    Args:
        buffer_size: Transitions of the model to keep (SB3 rounds down to whole steps of `n_envs`).
        observation_space: Box.
        action_space: Bounded Box; dataset actions are rescaled from it to [-1, 1] as the agent's are. Or
            `Discrete` or `MultiDiscrete`; they are stored as the numbers of the choices.
        device: Where rows are kept and batches are returned.
        n_envs: Transitions in one `add`.
        optimize_memory_usage: Must be False.
        handle_timeout_termination: Whether truncated rows count as not done (they bootstrap). True as in SB3.
        dataset: Anything that `offline_envs.data.load_transitions` accepts. Required.
        real_ratio: Share of a batch that comes from the dataset, in [0, 1]; 0.05 in MOPO.
        env_id: Environment of the data, where their metadata do not name it. Give the same as to the
            environment, so that the two share one copy in memory.
        task: Task whose reward replaces that of the dataset's rows, the same as that of the environment: a
            name with settings, or a `Task`.
        history: Number of recorded observations in one, the same as that of the environment.

    Raises:
        SettingsError: An invalid setting.
    """

    @check_arguments
    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        handle_timeout_termination: bool = True,
        *,
        dataset: DatasetSource | None = None,
        real_ratio: float = 0.05,
        env_id: str | EnvSpec | None = None,
        task: str | Task | None = None,
        history: int = 1,
    ) -> None:
        check_settings(optimize_memory_usage, dataset, real_ratio)
        # ReplayBuffer's own constructor would allocate a second, NumPy, storage.
        BaseBuffer.__init__(self, buffer_size, observation_space, action_space, device, n_envs=n_envs)
        self.buffer_size = max(buffer_size // n_envs, 1)
        self.optimize_memory_usage = False
        self.handle_timeout_termination = handle_timeout_termination
        self.dataset = dataset
        self.real_ratio = real_ratio
        self.env_id = env_id
        self.task = task
        self.history = history
        self.layout = RowLayout(
            flat_size(check_box("observation", observation_space)),
            action_size(check_actions(action_space)),
        )
        self.generator = np.random.default_rng(np.random.randint(2**31))  # noqa: NPY002 the one SB3 seeds
        self._rows: Tensor | None = None  # (real_size + buffer_size * n_envs, width): dataset, then ring
        self._real_size = 0
        self._unpickled: Tensor | None = None  # model rows of a file, until there is a ring for them

    @property
    def model_size(self) -> int:
        """Number of model transitions held, `size() * n_envs`."""
        return self.size() * self.n_envs

    @property
    def real_size(self) -> int:
        """Number of transitions of the dataset."""
        self._storage()
        return self._real_size

    def use(self, transitions: Transitions) -> None:
        """Take the dataset's rows from memory, rather than read them at the first `add` or `sample`.

        The settings stay as they are, and so does what `agent.save` and `save_replay_buffer` write.

        Args:
            transitions: Result of `task_transitions` for the buffer's settings.

        Raises:
            SettingsError: The rows are there already, or the transitions have other dimensions.
        """
        if self._rows is not None:
            raise SettingsError("use(...) must come before the first add, sample or real_size of the buffer.")
        self._fill(transitions)

    def add(
        self,
        obs: NDArray[Any],
        next_obs: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one step of `n_envs` rows over the oldest one.

        Args:
            obs: `(n_envs, *obs_shape)`.
            next_obs: True successors, not those after a reset, `(n_envs, *obs_shape)`.
            action: Rescaled to [-1, 1], or the numbers of the choices, `(n_envs, action_dim)`.
            reward: `(n_envs,)`.
            done: Whether the episode ended, `(n_envs,)`.
            infos: One dict a row; the truncated rows are read from its `truncated` if it is a `VectorInfos`.
        """
        rows = self._storage()
        n = self.n_envs
        ended = np.asarray(done, dtype=np.bool_).reshape(n)
        if self.handle_timeout_termination:
            ended = ended & ~truncated_rows(infos)
        columns = (obs, action, next_obs, ended, reward)
        step = np.concatenate(
            [np.asarray(column, dtype=np.float32).reshape(n, -1) for column in columns], axis=1
        )
        start = self._real_size + self.pos * n
        rows[start : start + n] = torch.from_numpy(step).to(rows.device)
        self.pos += 1
        if self.pos == self.buffer_size:
            self.full = True
            self.pos = 0

    def add_rollout(self, rollout: Rollout) -> None:
        """Store all transitions of a rollout over the oldest ones, without leaving the device.

        The result is that of calling `add` step by step, with `n_envs` transitions each.

        Args:
            rollout: `h` steps of `n` rows, with actions as a model sees them; they are rescaled here, or
                decoded.

        Raises:
            SettingsError: Dimensions that are not the buffer's, or a number of transitions that is not a
                multiple of `n_envs`.
        """
        rows = self._storage()
        action_space = check_actions(self.action_space)
        new = rows_of_rollout(
            rollout, self.layout, action_space, timeouts_are_done=not self.handle_timeout_termination
        )
        if len(new) % self.n_envs:
            raise SettingsError(
                f"A rollout must have a multiple of n_envs={self.n_envs} transitions, got {len(new)}."
            )
        n_steps, width = len(new) // self.n_envs, self.layout.width
        kept = new.view(n_steps, self.n_envs, width)[-self.buffer_size :]
        first = (self.pos + n_steps - len(kept)) % self.buffer_size
        n_before_wrap = min(len(kept), self.buffer_size - first)
        ring = rows[self._real_size :].view(self.buffer_size, self.n_envs, width)
        ring[first : first + n_before_wrap] = kept[:n_before_wrap]
        ring[: len(kept) - n_before_wrap] = kept[n_before_wrap:]
        self.full = self.full or self.pos + n_steps >= self.buffer_size
        self.pos = (self.pos + n_steps) % self.buffer_size

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """Draw exactly `batch_size` rows with replacement, the dataset's rows first.

        Args:
            batch_size: Number of rows.
            env: Normalises observations and rewards, also of the dataset's rows.

        Returns:
            Float32 tensors on `device` with `batch_size` rows each; actions as `add` takes them, `dones` 0
            or 1.
        """
        return self._get_samples(np.concatenate(self._drawn(batch_size)), env)

    def draw(self, n_batches: int, batch_size: int) -> Generator[Tensor]:
        """Draw the numbers of the rows that as many calls of `sample` would draw, for `batch_at`.

        Many batches' are sent to the device at once, so that nothing waits for a GPU in between. Nothing may
        be added meanwhile. Closed early, it has drawn for the batches that were taken.

        Args:
            n_batches: Number of batches.
            batch_size: Number of rows of each, the dataset's first.

        Yields:
            int64 `(batch_size,)`, on `device`.
        """
        for first in range(0, n_batches, DRAWN_AHEAD):
            n_drawn = min(DRAWN_AHEAD, n_batches - first)
            before, n_taken = self.generator.bit_generator.state, 0
            drawn = np.stack([np.concatenate(self._drawn(batch_size)) for _ in range(n_drawn)])
            try:
                for rows in torch.from_numpy(drawn).to(self._storage().device):
                    n_taken += 1
                    yield rows
            finally:
                if n_taken < n_drawn:
                    self.generator.bit_generator.state = before
                    for _ in range(n_taken):
                        self._drawn(batch_size)

    def batch_at(self, rows: Tensor, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """Return the rows of some numbers, as `sample` does.

        Args:
            rows: Numbers that `draw` gave.
            env: See `sample`.
        """
        batch = self._storage().index_select(0, rows)
        obs, action, next_obs, done, reward = torch.split(batch, list(self.layout.sizes), dim=1)
        if len(self.obs_shape) != 1:
            obs, next_obs = obs.reshape(-1, *self.obs_shape), next_obs.reshape(-1, *self.obs_shape)
        if env is not None:
            obs, next_obs = (on_host(env.normalize_obs, part) for part in (obs, next_obs))
            reward = on_host(env.normalize_reward, reward)
        return ReplayBufferSamples(obs, action, next_obs, done, reward)

    def sample_parts(
        self, batch_size: int, env: VecNormalize | None = None
    ) -> tuple[ReplayBufferSamples, ReplayBufferSamples]:
        """Draw the rows that `sample` would draw, with the dataset's and the model's apart.

        For losses that treat the two differently, such as COMBO's (Yu et al. 2021).

        Args:
            batch_size: Number of rows of both parts together.
            env: Normalises observations and rewards, also of the dataset's rows.

        Returns:
            `int(batch_size * real_ratio)` rows of the dataset and the rest from the model, as `sample` gives
            them. While the ring is empty, all rows are the dataset's and the second part has none.
        """
        real, model = self._drawn(batch_size)
        return self._get_samples(real, env), self._get_samples(model, env)

    def n_real(self, batch_size: int) -> int:
        """Number of a batch's rows that `sample` draws from the dataset: its first ones.

        Args:
            batch_size: Number of rows of the batch.
        """
        return batch_size if self.model_size == 0 else int(batch_size * self.real_ratio)

    def _drawn(self, batch_size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of rows of the dataset and of the model, drawn with replacement."""
        self._storage()
        n_real = self.n_real(batch_size)
        n_model = batch_size - n_real
        real = self.generator.integers(self._real_size, size=n_real)
        if n_model == 0:
            return real, np.empty(0, np.int64)
        return real, self.generator.integers(self.model_size, size=n_model) + self._real_size

    def _get_samples(self, batch_inds: NDArray[Any], env: VecNormalize | None = None) -> ReplayBufferSamples:
        return self.batch_at(torch.from_numpy(batch_inds).to(self._storage().device), env)

    def _storage(self) -> Tensor:
        """Return dataset and ring, read and allocated at the first call, on the current device."""
        if self._rows is None:
            assert self.dataset is not None
            options: dict[str, Any] = {"env_id": self.env_id, "history": self.history}
            self._fill(task_transitions(self.dataset, self.task, **options))
        assert self._rows is not None
        if self._rows.device.type != self.device.type:  # SB3 changes `device` when it loads a buffer
            self._rows = self._rows.to(self.device)
        return self._rows

    def _fill(self, transitions: Transitions) -> None:
        """Allocate dataset and ring, and write the dataset and any model rows loaded from a file."""
        rows, action_space = self._allocated(len(transitions)), check_actions(self.action_space)
        write_transitions(rows[: len(transitions)], transitions, self.layout, action_space)
        self._rows, self._real_size = rows, len(transitions)
        self._put_unpickled()

    def _put_unpickled(self) -> None:
        if self._rows is not None and self._unpickled is not None:
            self._rows[self._real_size :][: len(self._unpickled)].copy_(self._unpickled)
            self._unpickled = None

    def _allocated(self, real_size: int) -> Tensor:
        """Memory for a dataset and the ring behind it, `(real_size + buffer_size * n_envs, width)`."""
        size = real_size + self.buffer_size * self.n_envs
        return torch.zeros(size, self.layout.width, device=self.device)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        rows, unpickled = state.pop("_rows"), state.pop("_unpickled")
        # A slice would be pickled with the whole storage behind it, hence the clones.
        state["_model_rows"] = (
            unpickled if rows is None else rows[self._real_size :][: self.model_size].cpu().clone()
        )
        state["_real_rows"] = None
        if not is_reference(self.dataset) and rows is not None:
            state["_real_rows"] = rows[: self._real_size].cpu().clone()
            state["dataset"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        model_rows, real_rows = state.pop("_model_rows"), state.pop("_real_rows")
        self.__dict__.update({"task": None, "history": 1, **state})  # older files have none
        self._rows, self._unpickled = None, model_rows
        if not torch.cuda.is_available():
            self.device = torch.device("cpu")
        if real_rows is not None:
            self._rows, self._real_size = self._allocated(len(real_rows)), len(real_rows)
            self._rows[: self._real_size] = real_rows
        self._put_unpickled()
