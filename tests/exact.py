"""Values that `==` compares bit for bit, of what was made or loaded twice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from offline_envs.data.minari_source import open_minari, transitions_from_minari
from offline_envs.data.transitions import TENSOR_FIELDS


def exact(values: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors by name as their types, shapes and bytes; other values stay."""
    return {
        name: (str(value.dtype), tuple(value.shape), value.numpy().tobytes())
        if isinstance(value, torch.Tensor)
        else value
        for name, value in values.items()
    }


def exact_dataset(folder: Path) -> dict[str, Any]:
    """Everything that the Minari dataset in a folder holds."""
    found = transitions_from_minari(open_minari(folder / "data"))
    fields = exact({name: getattr(found, name) for name in TENSOR_FIELDS})
    infos = exact({f"infos/{name}": values for name, values in found.infos.items()})
    return fields | infos | {"env": found.env_spec, "actions in": found.action_space, "about": found.metadata}
