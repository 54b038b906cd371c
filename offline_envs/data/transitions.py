"""`Transitions`: a dataset as flat tensors, one row per step."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import gymnasium as gym
import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data.environments.making import make_real_env
from offline_envs.data.environments.recorded import believed
from offline_envs.data.history.layout import HistoryLayout
from offline_envs.data.history.wrapper import HistoryObservation
from offline_envs.data.spaces.agent_spaces import AgentSpaces
from offline_envs.data.spaces.discrete import DiscreteSpace, from_one_hot
from offline_envs.data.spaces.flattening import FlatObservation
from offline_envs.data.spaces.observations import ObsSpace
from offline_envs.data.stored.d3rlpy import d3rlpy_arrays
from offline_envs.errors import DatasetError

TENSOR_FIELDS = ("obs", "actions", "rewards", "next_obs", "terminated", "episode_starts")


@dataclass(frozen=True, eq=False, repr=False)
class Transitions:
    """A fixed dataset of `n` steps from `e` episodes, stored in order and never changed.

    Rows of one episode are consecutive. `next_obs` is the true successor, also for the last step of an
    episode, so no row mixes two episodes.

    Attributes:
        obs: Observations, float32 `(n, d)`.
        actions: Actions in the environment's own units, float32 `(n, k)`; discrete ones as one-hot numbers.
        rewards: Rewards, float32 `(n,)`.
        next_obs: Successor observations, float32 `(n, d)`.
        terminated: Whether the MDP ended at this step (a truncation is not an end), bool `(n,)`.
        episode_starts: Row of each episode's first step, ascending, int64 `(e,)`; the first is 0.
        action_space: Space that every row of `actions` lies in; [0, 1] for one-hot numbers.
        env_spec: Specification of the environment that the data come from, or None if unknown. Nothing can
            be made from it if `recorded_env_spec` asks for code that is not registered here.
        recorded_env_spec: The specification as their metadata have it, which may name any code: never give it
            to `gym.make` if you do not trust their author. None if the user named the environment.
        infos: Per-step scalars or vectors logged with the data, float32 `(n, ...)` each; the value of row t
            is the one that came with `next_obs[t]`, NaN where it is unknown.
        source: Description of where the data come from, for messages.
        metadata: What their files say about their origin, JSON values by name, e.g. `algorithm_name`.
        history: Number of recorded observations that an observation holds, see `with_history`; 1 if they are
            as recorded.
        discrete_actions: The space of the actions if they are discrete, which agents see; else None.
        obs_space: The space of one recorded observation, where it is known: a Box, whose bounds are kept, or
            a Dict of them, which agents see.
        flat_obs: Whether agents see a Dict of observations as one array, its columns; see `flattened`.
        observed_bounds: Bounds of `action_space`, `"low"` and `"high"`, that nothing tells but the smallest
            and largest of `actions`.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    next_obs: Tensor
    terminated: Tensor
    episode_starts: Tensor
    action_space: Box
    env_spec: EnvSpec | None = None
    recorded_env_spec: EnvSpec | None = field(default=None, kw_only=True)
    infos: Mapping[str, Tensor] = field(default_factory=dict)
    source: str = "arrays"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    history: int = field(default=1, kw_only=True)
    discrete_actions: DiscreteSpace | None = field(default=None, kw_only=True)
    obs_space: ObsSpace | None = field(default=None, kw_only=True)
    flat_obs: bool = field(default=False, kw_only=True)
    observed_bounds: frozenset[str] = field(default=frozenset(), kw_only=True)

    def __len__(self) -> int:
        return len(self.obs)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{f}={tuple(getattr(self, f).shape)}" for f in TENSOR_FIELDS)
        return (
            f"Transitions({shapes}, infos={list(self.infos)}, env_id={self.env_id!r}, source={self.source!r})"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Gymnasium deep-copies every keyword of an environment several times; the data never change.
        del memo  # Unused.
        return self

    @property
    def obs_dim(self) -> int:
        """Number of observation dimensions, d."""
        return self.obs.shape[1]

    @property
    def action_dim(self) -> int:
        """Number of action dimensions, k."""
        return self.actions.shape[1]

    @property
    def agent_spaces(self) -> AgentSpaces:
        """What an agent sees where it differs from these columns."""
        nested = isinstance(self.obs_space, Dict) and not self.flat_obs
        return AgentSpaces(self.discrete_actions, self.obs_space if nested else None)  # type: ignore[arg-type]

    @property
    def flattened(self) -> Self:
        """The same steps for agents that see one array where the data have a Dict: its columns.

        Learned environments of them, and `make_env`, give observations float32 `(d,)`, part by part, sorted
        by name. Itself if observations are one array already.
        """
        return self if self.agent_spaces.obs is None else replace(self, flat_obs=True)

    @property
    def layout(self) -> HistoryLayout:
        """Where an observation holds what, if it has a history."""
        return HistoryLayout.of_stacked(self.history, self.obs_dim, self.action_dim)

    @cached_property
    def newest(self) -> Self:
        """The same steps with the newest observations only, as recorded; itself without a history."""
        if self.history == 1:
            return self
        columns = self.layout.newest
        return replace(self, obs=self.obs[:, columns], next_obs=self.next_obs[:, columns], history=1)

    @property
    def env_id(self) -> str | None:
        """Id of the environment that the data come from, e.g. `"Hopper-v5"`."""
        return None if self.env_spec is None else self.env_spec.id

    @property
    def doubted_env_spec(self) -> EnvSpec | None:
        """The recorded specification if `env_spec` cannot be made because of what it asks for, else None."""
        inert = self.env_spec is not None and self.env_spec.entry_point is None
        return self.recorded_env_spec if inert else None

    @property
    def initial_obs(self) -> Tensor:
        """First observation of every episode, float32 `(e, d)`."""
        return self.obs[self.episode_starts]

    @cached_property
    def episode_lengths(self) -> Tensor:
        """Number of steps of every episode, int64 `(e,)`."""
        ends = torch.cat([self.episode_starts[1:], torch.tensor([len(self)])])
        return ends - self.episode_starts

    @cached_property
    def episode_returns(self) -> Tensor:
        """Undiscounted sum of rewards of every episode, float64 `(e,)`."""
        episode = torch.repeat_interleave(torch.arange(len(self.episode_starts)), self.episode_lengths)
        returns = torch.zeros(len(self.episode_starts), dtype=torch.float64)
        return returns.index_add(0, episode, self.rewards.double())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the contents that a model is learned from, as 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for name in TENSOR_FIELDS:
            tensor: Tensor = getattr(self, name)
            digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            digest.update(np.ascontiguousarray(tensor.numpy()).data)
        if self.history > 1:
            digest.update(f"history{self.history}".encode())
        return digest.hexdigest()

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the steps as arrays by D4RL's names, copied, e.g. for `numpy.savez`.

        `load_transitions` makes the same steps of them, if it is told the action space: `action_space=`, of
        discrete actions `discrete_actions`. Infos, metadata and the environment are left out.

        Returns:
            `observations` and `next_observations` `(n, d)`, `actions` `(n, k)` and `rewards` `(n,)`, float32;
            discrete actions as the numbers that were chosen, int64 `(n,)` of a `Discrete`, `(n, m)` of a
            `MultiDiscrete`; `terminals` and `timeouts` `(n,)`, bool: an episode whose last step does not
            terminate ends by a timeout there.
        """
        timeouts = torch.zeros_like(self.terminated)
        timeouts[self.episode_starts + self.episode_lengths - 1] = True
        chosen = self.discrete_actions
        named = {
            "observations": self.obs,
            "actions": self.actions if chosen is None else from_one_hot(chosen, self.actions),
            "rewards": self.rewards,
            "next_observations": self.next_obs,
            "terminals": self.terminated,
            "timeouts": timeouts & ~self.terminated,
        }
        return {name: tensor.numpy().copy() for name, tensor in named.items()}

    def to_d3rlpy(self, *, for_next_actions: bool = False) -> dict[str, NDArray[np.float32]]:
        """Return the steps as arrays of d3rlpy: `d3rlpy.dataset.MDPDataset(**transitions.to_d3rlpy())`.

        Args:
            for_next_actions: Whether the algorithm learns from the action that the data take next (ReBRAC).

        Returns:
            See `offline_envs.data.d3rlpy_arrays`.
        """
        return d3rlpy_arrays(self, for_next_actions=for_next_actions)

    def make_env(self, **kwargs: Any) -> gym.Env[Any, Any]:
        """Make the real environment that the data come from, e.g. to evaluate a policy.

        Its observations are flat where agents of the data see them so, and have the history of the data's.

        Metadata choose no code: of what they record, only an id that is registered here, plain keywords
        and arithmetic wrappers of Gymnasium are believed, unless `load_transitions` was told
        `trust_dataset=True`.

        Args:
            kwargs: Further keywords of `gymnasium.make`.

        Raises:
            DatasetError: The dataset does not say where it comes from, its metadata ask for code that is not
                registered here, or the environment cannot be made.

        Warns:
            UserWarning: The data were recorded through a wrapper whose statistics they do not hold.
        """
        if self.env_spec is None:
            raise DatasetError(
                f"{self.source} does not name its environment. Pass env_id=, e.g. 'Hopper-v5'."
            )
        spec = self.env_spec
        if self.doubted_env_spec is not None:  # its package may have been imported since
            spec = believed(self.doubted_env_spec, self.source)
        env = make_real_env(spec, self.source, **kwargs)
        if self.flat_obs and isinstance(self.obs_space, Dict):
            env = FlatObservation(env, self.obs_space)
        return env if self.history == 1 else HistoryObservation(env, self.history)
