"""`LearnedParts`: what single and vector environments of a learned MDP have in common."""

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium.error import ResetNeeded
from torch import Tensor

from offline_envs.data import Transitions, flatten_obs, one_hot
from offline_envs.dynamics import DynamicsModel
from offline_envs.envs.assembly import Assembly
from offline_envs.envs.episodes import Episodes
from offline_envs.errors import SettingsError
from offline_envs.mdp import START_OBS, START_ROW, LearnedMDP, as_actions, as_choices, as_numbers, as_tensor
from offline_envs.methods import Method, Monitor
from offline_envs.simulator import RGB_ARRAY, Picture, Pictures, has_pictures


def as_arrays(obs: Any) -> Any:
    """Tensors on the CPU, one or several by name, as arrays."""
    return {name: part.numpy() for name, part in obs.items()} if isinstance(obs, Mapping) else obs.numpy()


class LearnedParts:
    """The parts of a learned environment and what its episodes have counted, to read.

    The parts are fixed when the environment is made: assigning another one would change what is reported, not
    what is stepped, so it is an error.
    """

    _assembly: Assembly
    _episodes: Episodes
    _pictures: Pictures | None
    _begun: bool

    def _render_metadata(self) -> dict[str, Any]:
        """What Gymnasium wants to know of the pictures: the modes, and pictures a second if there are any."""
        modes = [RGB_ARRAY] if has_pictures(self.transitions) else []
        fps = {} if self._pictures is None else {"render_fps": self._pictures.fps}
        return {"render_modes": modes, **fps}

    def _drawn(self) -> tuple[Picture, ...]:
        """Pictures of the current observations.

        Raises:
            SettingsError: The environment was made without pictures, or see `Pictures.draw`.
            gymnasium.error.ResetNeeded: There are no episodes yet.
        """
        if self._pictures is None:
            raise SettingsError('render() needs render_mode="rgb_array" when the environment is made.')
        if not self._begun:
            raise ResetNeeded("Call reset() before render().")
        return tuple(self._pictures.draw(obs) for obs in self._episodes.obs.cpu().numpy())

    def _close_pictures(self) -> None:
        if self._pictures is not None:
            self._pictures.close()

    @property
    def _start_options(self) -> tuple[str, ...]:
        """Options of a reset that choose where episodes start."""
        return (START_OBS,) if self.mdp.replay is None else (START_OBS, START_ROW)

    def _given(
        self, options: Mapping[str, Any], shape: tuple[int, ...], mask: Tensor | None = None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Observations `(*shape, d)` to start from and their rows of the dataset, if a caller chose them.

        Of a mask, `shape`, only its rows are used; None means all.

        Raises:
            SettingsError: Observations or rows of another shape or range, or observations without the rows
                that replayed columns follow.
        """
        obs, rows = options.get(START_OBS), options.get(START_ROW)
        obs = self._flat(obs, shape) if isinstance(obs, Mapping) else obs
        if rows is not None:
            rows = self._dataset_rows(rows, shape, mask)
            obs = self.transitions.obs[rows.cpu()] if obs is None else obs
        elif obs is not None and self.mdp.replay is not None:
            raise SettingsError(
                "options['obs'] needs options['row'] where columns are replayed: the row of the dataset "
                "whose recorded series the episode follows."
            )
        if obs is None:
            return None, None
        given = self._assembly.starts.given(obs, (*shape, self.transitions.obs_dim), mask)
        box = self.mdp.guard.box
        return given if box is None else given.clamp(*box), rows  # as imagined observations are

    def _flat(self, obs: Mapping[str, Any], shape: tuple[int, ...]) -> Tensor:
        """Observations by name as columns, `(*shape, d)`."""
        space = self.transitions.agent_spaces.obs
        if space is None or obs.keys() != space.spaces.keys():
            wanted = "an array" if space is None else f"a dict of {', '.join(space.spaces)}, or an array"
            raise SettingsError(f"options['obs'] must be {wanted}, got a dict of {', '.join(obs)}.")
        parts = {
            name: as_numbers(f"options['obs'][{name!r}]", values, (*shape, *(space[name].shape or ())))
            for name, values in obs.items()
        }
        columns: Tensor = flatten_obs(space, parts, shape)
        return columns

    def _columns(self, actions: Any, rows: tuple[int, ...]) -> Tensor:
        """An agent's actions as the columns that the model sees, `(*rows, k)`."""
        discrete = self.transitions.discrete_actions
        if discrete is None:
            return as_actions(actions, (*rows, self.transitions.action_dim), self.device)
        return one_hot(discrete, as_choices(actions, discrete, rows, self.device))

    def _dataset_rows(self, rows: Any, shape: tuple[int, ...], mask: Tensor | None) -> Tensor:
        found = as_tensor(f"options[{START_ROW!r}]", rows)
        n = len(self.transitions)
        whole = not found.is_floating_point() and found.dtype != torch.bool and found.shape == shape
        if whole and mask is not None:
            found = torch.where(mask.to(found.device), found, 0)
        if not whole or not bool(((found >= 0) & (found < n)).all()):
            raise SettingsError(
                f"options[{START_ROW!r}] must be integers of shape {shape} from 0 to {n - 1}, got {rows!r}."
            )
        return found.to(self.device, torch.int64)

    @property
    def assembly(self) -> Assembly:
        """All parts."""
        return self._assembly

    @property
    def mdp(self) -> LearnedMDP:
        """The MDP."""
        return self._assembly.mdp

    @property
    def transitions(self) -> Transitions:
        """The dataset."""
        return self._assembly.transitions

    @property
    def ensemble(self) -> DynamicsModel:
        """The model, all of its members."""
        return self._assembly.model

    @property
    def method(self) -> Method:
        """The method that turns the model into the MDP."""
        return self._assembly.method

    @property
    def device(self) -> torch.device:
        """Device of the model, and of tensors that are returned."""
        return self._assembly.starts.obs.device

    @property
    def halts(self) -> bool:
        """Whether unknown pairs of obs and action end an episode."""
        return self.method.halts

    @property
    def monitor(self) -> Monitor | None:
        """The method's monitor of the episodes, e.g. a `HaltCounter`, or None."""
        return self._episodes.monitor

    @property
    def n_exploded(self) -> int:
        """Number of steps whose prediction was rejected so far, over all rows whose episode was running."""
        return int(self._episodes.total_exploded)
