"""`FunctionModel`: a user's torch module or function as a dynamics model."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, NoReturn, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from offline_envs.dynamics.prediction import Prediction
from offline_envs.errors import SettingsError

DynamicsFunction = Callable[[Any, Any], tuple[Any, Any]]
"""`function(obs, action) -> (next_obs, reward)`, see `FunctionModel`."""

PROBES = 7, 5
"""Rows with which a function is tried: few dimensions are as many, so that transposed axes are seen."""

Moments = tuple[Tensor, Tensor | None]
"""Mean, and deviation where there is one."""


class FunctionModel:
    """A dynamics model that calls `function(obs, action) -> (next_obs, reward)`.

    The function gets float32 tensors `(B, d)` and `(B, k)` on the model's device, in the environment's units,
    and returns next observations `(B, d)` and rewards `(B,)`: tensors, NumPy arrays, or distributions of
    torch, of which mean and deviation are taken (independent Gaussians). With a leading axis, `(N, B, d)` and
    `(N, B)`, these are N members, which penalties and halts compare. A function that does not take tensors is
    given NumPy arrays. A module is put into evaluation mode.

    Models predict next_obs − obs, so next observations are the function's own up to float32 rounding. What
    the function draws at random itself is not the environment's: return a distribution instead.

    Args:
        function: The function, or a module.
        obs_dim: Number of observation dimensions, d.
        action_dim: Number of action dimensions, k.
        elites: Numbers of the members that transitions are drawn from; None for all.
        device: Device of the observations that it gets; of a module, that of its parameters.

    Attributes:
        function: The function.
        n_members: Number of members, N; 1 for a function without that axis.
        probabilistic: Whether it returns a distribution.
        has_saved_form: False: nothing about a function can be written to a file or identified in the cache.

    Raises:
        SettingsError: The function fails, or returns something else, for rows of zeros; or elites that are
            no members.

    Example:
        >>> def pushed(obs, action):
        ...     return obs + action, -obs.abs().sum(dim=-1)
        >>> FunctionModel(pushed, obs_dim=1, action_dim=1).predict(torch.ones(1, 1), torch.ones(1, 1)).mean
        tensor([[[-1.,  1.]]])
    """

    has_saved_form = False

    def __init__(
        self,
        function: DynamicsFunction,
        obs_dim: int,
        action_dim: int,
        *,
        elites: tuple[int, ...] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.function, self.obs_dim, self.action_dim = function, obs_dim, action_dim
        if isinstance(function, nn.Module):
            function.eval()
            device = next((tensor.device for tensor in function.parameters()), device)
        self._device = torch.empty(0, device=device).device
        self._call = _taking_tensors(function, *self._zeros())
        self.n_members = self._count_members()
        self.probabilistic = any(isinstance(part, Distribution) for part in self._call(*self._zeros()))
        chosen = range(self.n_members) if elites is None else elites
        if not chosen or not set(chosen) <= set(range(self.n_members)):
            raise SettingsError(f"elites must be some of {self.n_members} members, got {elites}.")
        self.elites = torch.tensor(chosen, dtype=torch.int64, device=self._device)

    @property
    def n_elites(self) -> int:
        """Number of members that transitions are drawn from."""
        return len(self.elites)

    @property
    def device(self) -> torch.device:
        """Device of the computation."""
        return self._device

    def predict(self, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
        """See `DynamicsModel`; the function computes all members."""
        with torch.no_grad():
            return self.predict_with_gradients(obs, action, members)

    def predict_with_gradients(
        self, obs: Tensor, action: Tensor, members: Tensor | None = None
    ) -> Prediction:
        """See `Differentiable`; a function of arrays gives no gradients."""
        found = self._evaluated(obs, action)
        if len(found.mean) != self.n_members:
            raise SettingsError(
                f"A model's function must return as many members each time, {self.n_members} as at first, "
                f"got {len(found.mean)} for {len(obs)} rows."
            )
        return found if members is None else found.members(members)

    def to(self, device: torch.device | str) -> Self:
        """Move the module, if it is one, and let the function get its observations on the device."""
        if isinstance(self.function, nn.Module):
            self.function.to(device)
        self._device = torch.empty(0, device=device).device
        self.elites = self.elites.to(device)
        return self

    def copy(self) -> Self:
        """A model with a copy of the module; a plain function is shared."""
        function = deepcopy(self.function)
        elites = tuple(self.elites.tolist())
        return type(self)(function, self.obs_dim, self.action_dim, elites=elites, device=self._device)

    def card(self) -> dict[str, Any]:
        """A function has none; see `state_dict`."""
        self._refuse()

    def state_dict(self) -> Mapping[str, Tensor]:
        """A function has none.

        Raises:
            SettingsError: Always.
        """
        self._refuse()

    @classmethod
    def from_card(cls, card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """A function cannot be read; see `state_dict`."""
        raise SettingsError(f"{cls.__name__} cannot be read from a file: it would have to name code to run.")

    def _refuse(self) -> NoReturn:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        raise SettingsError(
            f"A model that is a function has no saved form, got {name}. To save it, write a class with card, "
            "state_dict and from_card, and register it: offline_envs.dynamics.MODEL_KINDS.register(...)."
        )

    def _zeros(self, n: int = PROBES[0]) -> tuple[Tensor, Tensor]:
        sizes = (self.obs_dim, self.action_dim)
        obs, action = (torch.zeros(n, size, device=self._device) for size in sizes)
        return obs, action

    @torch.no_grad()
    def _count_members(self) -> int:
        """Members that the function returns, whatever the number of rows.

        Raises:
            SettingsError: They are as many as the rows, as those of a sum of `(B, 1)` and `(B,)`.
        """
        counts = [len(self._evaluated(*self._zeros(n)).mean) for n in PROBES]
        if len(set(counts)) > 1:
            raise SettingsError(
                f"A model's function must return as many members for any number of rows, got {counts[0]} for "
                f"{PROBES[0]} rows and {counts[1]} for {PROBES[1]}. A sum of shapes (B, 1) and (B,), which "
                "has shape (B, B), looks like this."
            )
        return counts[0]

    def _evaluated(self, obs: Tensor, action: Tensor) -> Prediction:
        returned = self._call(obs.clone(), action.clone())  # a function may add to what it is given
        if not isinstance(returned, tuple | list) or len(returned) != 2:
            raise SettingsError(
                f"A model's function must return (next_obs, reward), got {type(returned).__name__}."
            )
        next_obs, next_std = self._moments("next_obs", returned[0], (len(obs), self.obs_dim))
        reward, reward_std = self._moments("reward", returned[1], (len(obs),))
        n = max(len(next_obs), len(reward))
        if not {len(next_obs), len(reward)} <= {1, n}:
            raise SettingsError(
                f"next_obs and reward must have as many members, got {len(next_obs)} and {len(reward)}."
            )
        outputs = ((reward[..., None], 1), (next_obs - obs, self.obs_dim))
        mean = torch.cat([part.expand(n, len(obs), size) for part, size in outputs], dim=-1)
        std = torch.zeros_like(mean)
        if reward_std is not None:
            std[..., 0] = reward_std
        if next_std is not None:
            std[..., 1:] = next_std
        return Prediction(mean, std)

    def _moments(self, name: str, value: Any, shape: tuple[int, ...]) -> Moments:
        """Mean and deviation of what the function returned, `(N, *shape)` each.

        Raises:
            SettingsError: Another shape, or no numbers.
        """
        parts = (value.mean, value.stddev) if isinstance(value, Distribution) else (value,)
        found = [self._as_tensor(name, part) for part in parts]
        for tensor in found:
            if tensor.shape[-len(shape) :] != shape or tensor.ndim not in (len(shape), len(shape) + 1):
                raise SettingsError(
                    f"The {name} that a model's function returns must have shape {shape}, or those of all "
                    f"members before it, got {tuple(tensor.shape)}."
                )
        mean, *std = (tensor.reshape(-1, *shape) for tensor in found)
        return mean, std[0] if std else None

    def _as_tensor(self, name: str, value: Any) -> Tensor:
        try:
            return torch.as_tensor(value).to(self._device, torch.float32)
        except (TypeError, ValueError, RuntimeError) as error:
            raise SettingsError(
                f"The {name} that a model's function returns must be a tensor, array or distribution, got "
                f"{type(value).__name__}."
            ) from error


def _taking_tensors(function: DynamicsFunction, obs: Tensor, action: Tensor) -> DynamicsFunction:
    """The function, or one that gives it arrays, whichever it takes.

    Raises:
        SettingsError: It takes neither.
    """
    try:
        with torch.no_grad():
            function(obs, action)
        return function
    except Exception as error:  # whatever a user's function raises
        first = error

    def with_arrays(obs: Tensor, action: Tensor) -> Any:
        return function(*(tensor.detach().cpu().numpy().copy() for tensor in (obs, action)))

    try:
        with_arrays(obs, action)
    except Exception:
        raise SettingsError(
            f"A model's function must take obs {tuple(obs.shape)} and action {tuple(action.shape)}, tensors "
            f"or arrays, got {type(first).__name__}: {first}"
        ) from first
    return with_arrays
