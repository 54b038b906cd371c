"""One step of a vector environment as NumPy arrays, moved from the device in one copy."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.errors import SettingsError


class HostStep(NamedTuple):
    """The result of a vector environment's step, on the host, in arrays that nobody else holds."""

    obs: Any  # (n, *obs_shape), the observation space's dtype; of a Dict, several by name
    rewards: NDArray[np.float32]  # (n,)
    terminated: NDArray[np.bool_]  # (n,)
    truncated: NDArray[np.bool_]  # (n,)
    final_obs: Any  # like obs, or (n,) of objects; None when not given


def host_obs(obs: Any, dtype: Any) -> Any:
    """Copy a batch of observations, an array or a tensor on any device, into a new array of `dtype`.

    Those of a Dict are several by name, as are the types.
    """
    if isinstance(obs, Mapping):
        return {name: host_obs(part, dtype[name]) for name, part in obs.items()}
    if isinstance(obs, Tensor):
        obs = obs.detach().cpu().numpy()
    return np.array(obs, dtype=dtype)


def host_step(step: tuple[Any, Any, Any, Any, Mapping[str, Any]], dtype: Any) -> HostStep:
    """Copy what `VectorEnv.step` returned to the host.

    Tensors of an accelerator are packed into one matrix first, so that a step waits for the device once.

    Args:
        step: Observations, rewards, terminations, truncations and infos of `n` rows.
        dtype: Type of the observation space, or types by name.
    """
    obs, rewards, terminated, truncated, infos = step
    final_obs = infos.get("final_obs")
    if isinstance(obs, Mapping):
        return _nested_step(step, dtype)
    fields = (obs, rewards, terminated, truncated, final_obs)
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


def _nested_step(step: tuple[Any, Any, Any, Any, Mapping[str, Any]], dtype: Any) -> HostStep:
    """`host_step` of Dict observations; each part is copied by itself."""
    obs, rewards, terminated, truncated, infos = step
    final_obs = infos.get("final_obs")
    if isinstance(final_obs, Mapping):
        final_obs = host_obs(final_obs, dtype)
    return HostStep(
        host_obs(obs, dtype),
        host_obs(rewards, np.float32),
        host_obs(terminated, np.bool_),
        host_obs(truncated, np.bool_),
        final_obs,
    )


def last_obs_of_ended(step: HostStep, dones: NDArray[np.bool_]) -> Any:
    """Pick the true last observations of the rows in `dones`, in order, `(dones.sum(), *obs_shape)`.

    Those of a Dict are a list of several by name.

    Raises:
        SettingsError: An episode ended but the environment gave no final observation.
    """
    if not dones.any():
        return [] if isinstance(step.obs, Mapping) else step.obs[:0]
    if step.final_obs is None:
        raise SettingsError(
            "A vector environment with autoreset_mode=SAME_STEP must give infos['final_obs'] when an episode "
            "ends; this one gave none, so the last observations are lost."
        )
    if isinstance(step.final_obs, Mapping):
        parts = {name: part[dones] for name, part in step.final_obs.items()}
        return [{name: part[row] for name, part in parts.items()} for row in range(int(dones.sum()))]
    rows = step.final_obs[dones]
    if isinstance(step.obs, Mapping):  # SyncVectorEnv gives an array of objects
        return list(rows)
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
