"""What `MixedReplayBuffer` asks of its arguments, and what it does on the host."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import DatasetSource
from offline_envs.errors import SettingsError
from offline_envs.sb3.vec_env.infos import TRUNCATED_KEY, VectorInfos


def check_settings(optimize_memory_usage: bool, dataset: DatasetSource | None, real_ratio: float) -> None:
    """Refuse settings of the buffer that cannot be used.

    Raises:
        SettingsError: Such a setting.
    """
    if optimize_memory_usage:
        raise SettingsError(
            "MixedReplayBuffer keeps the true successor of every row, which optimize_memory_usage=True gives "
            "up. Pass optimize_memory_usage=False and, if memory is short, a smaller buffer_size."
        )
    if dataset is None:
        raise SettingsError(
            "MixedReplayBuffer needs a dataset: pass replay_buffer_kwargs={'dataset': <id, path or arrays>}."
        )
    if not 0.0 <= real_ratio <= 1.0:
        raise SettingsError(f"real_ratio must be between 0 and 1, got {real_ratio}.")


def truncated_rows(infos: list[dict[str, Any]]) -> NDArray[np.bool_]:
    """Whether the time limit cut each row, from its info, `(n,)`."""
    if isinstance(infos, VectorInfos):
        return infos.truncated
    return np.array([info.get(TRUNCATED_KEY, False) for info in infos], dtype=np.bool_)


def is_reference(dataset: object) -> bool:
    """Whether the dataset can be read again from the argument: an id, a path, or a list of these."""
    if isinstance(dataset, Sequence) and not isinstance(dataset, str):
        return all(is_reference(part) for part in dataset)
    return isinstance(dataset, str | os.PathLike)


def on_host(function: Callable[..., Any], values: Tensor) -> Tensor:
    """Apply a function of arrays to a tensor, `VecNormalize`'s for instance; float32, on its device."""
    return torch.as_tensor(function(values.cpu().numpy()), dtype=torch.float32, device=values.device)
