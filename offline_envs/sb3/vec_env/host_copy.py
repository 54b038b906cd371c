"""One step of a vector environment as NumPy arrays, moved from the device in one copy."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from offline_envs.errors import SettingsError


class HostStep(NamedTuple):
    """The result of a vector environment's step, on the host, in arrays that nobody else holds."""

    obs: NDArray[Any]  # (n, *obs_shape), the observation space's dtype
    rewards: NDArray[np.float32]  # (n,)
    terminated: NDArray[np.bool_]  # (n,)
    truncated: NDArray[np.bool_]  # (n,)
    final_obs: NDArray[Any] | None  # (n, *obs_shape) dense, or (n,) of objects; None when not given


def host_obs(obs: Any, dtype: DTypeLike) -> NDArray[Any]:
    """Copy a batch of observations, an array or a tensor on any device, into a new array of `dtype`."""
    if isinstance(obs, Tensor):
        obs = obs.detach().cpu().numpy()
    return np.array(obs, dtype=dtype)


def host_step(step: tuple[Any, Any, Any, Any, Mapping[str, Any]], dtype: DTypeLike) -> HostStep:
    """Copy what `VectorEnv.step` returned to the host.

    Tensors of an accelerator are packed into one matrix first, so that a step waits for the device once.

    Args:
        step: Observations, rewards, terminations, truncations and infos of `n` rows.
        dtype: Type of the observation space.
    """
    obs, rewards, terminated, truncated, infos = step
    fields = (obs, rewards, terminated, truncated, infos.get("final_obs"))
    if isinstance(obs, Tensor):
        fields = _packed_copy(fields) if obs.device.type != "cpu" else _as_arrays(fields)
    obs, rewards, terminated, truncated, final_obs = fields
    return HostStep(
        np.array(obs, dtype=dtype),
        np.array(rewards, dtype=np.float32),
        np.array(terminated, dtype=np.bool_),
        np.array(truncated, dtype=np.bool_),
        None if final_obs is None else np.asarray(final_obs),
    )


def last_obs_of_ended(step: HostStep, dones: NDArray[np.bool_]) -> NDArray[Any]:
    """Pick the true last observations of the rows in `dones`, in order, `(dones.sum(), *obs_shape)`.

    Raises:
        SettingsError: An episode ended but the environment gave no final observation.
    """
    if not dones.any():
        return step.obs[:0]
    if step.final_obs is None:
        raise SettingsError(
            "A vector environment with autoreset_mode=SAME_STEP must give infos['final_obs'] when an episode "
            "ends; this one gave none, so the last observations are lost."
        )
    rows = step.final_obs[dones]
    # SyncVectorEnv gives an array of objects, None where the episode continues.
    dense = np.stack(list(rows)) if rows.dtype == object else rows
    return dense.astype(step.obs.dtype, copy=False)


def _as_arrays(fields: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(f.detach().numpy() if isinstance(f, Tensor) else f for f in fields)


def _packed_copy(fields: tuple[Any, ...]) -> tuple[Any, ...]:
    """Move tensors with `n` rows each to the host as one matrix, and cut it into arrays again."""
    tensors = [f for f in fields if f is not None]
    flat = [t.detach().reshape(len(t), -1) for t in tensors]
    packed = torch.cat(flat, dim=1).cpu().numpy()
    ends = np.cumsum([f.shape[1] for f in flat])
    parts = np.split(packed, ends[:-1], axis=1)
    arrays = [part.reshape(tuple(t.shape)) for part, t in zip(parts, tensors, strict=True)]
    return tuple(arrays) + (None,) * (len(fields) - len(arrays))
