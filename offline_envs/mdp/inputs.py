"""What a caller gives to a learned MDP at a step or reset: checked, and as tensors."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from offline_envs.data import DiscreteSpace, action_shape, are_in
from offline_envs.errors import SettingsError, SettingsTypeError, unknown_name


def as_actions(actions: Any, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Actions as a float32 tensor on the device of a model.

    Actions that are not finite are refused where they arrive on the CPU. A GPU would have to be waited for;
    there the prediction from such an action is not finite either, so that its row explodes and is counted
    (see `Guard`).

    Args:
        actions: An array, a tensor on any device, or lists of numbers.
        shape: The shape that they must have, `(k,)` or `(n, k)`.
        device: Where to put them.

    Raises:
        SettingsError: Something else than numbers, another shape, or NaN or infinity.
    """
    tensor = as_numbers("actions", actions, shape)
    if is_on_host(tensor) and not bool(tensor.isfinite().all()):
        bad = (~tensor.isfinite()).nonzero()
        raise SettingsError(
            f"actions must be finite, got NaN or infinity in {len(bad)} of {tensor.numel()} numbers, first "
            f"at {tuple(bad[0].tolist())}. An agent whose training diverged gives such actions."
        )
    return tensor.to(device)


def as_choices(actions: Any, space: DiscreteSpace, rows: tuple[int, ...], device: torch.device) -> Tensor:
    """Discrete actions as a tensor of integers on the device of a model.

    Actions outside the space are refused where they arrive on the CPU, as `as_actions` refuses NaN.

    Args:
        actions: Integers: one, an array, a tensor on any device, or lists.
        space: The action space.
        rows: Shape of the batch, `()` or `(n,)`.
        device: Where to put them.

    Raises:
        SettingsError: No integers, another shape, or a choice that the space does not have.
    """
    tensor, shape = as_tensor("actions", actions), (*rows, *action_shape(space))
    if tensor.is_floating_point() or tensor.dtype == torch.bool or tensor.shape != shape:
        raise SettingsError(
            f"actions of {space} must be integers of shape {shape}, got {tensor.dtype} of shape "
            f"{tuple(tensor.shape)}."
        )
    if is_on_host(tensor) and not bool(are_in(space, tensor).all()):
        raise SettingsError(f"actions must be in {space}, got {actions!r}.")
    return tensor.to(device)


def is_on_host(tensor: Tensor) -> bool:
    """Whether the values of a tensor can be read without waiting for a device."""
    return tensor.device.type == "cpu"


def as_numbers(name: str, values: Any, shape: tuple[int, ...]) -> Tensor:
    """Values as a float32 tensor of a given shape, without gradients, on their own device.

    The tensor may share its memory with the values.

    Args:
        name: What they are, for the message.
        values: An array, a tensor, or lists of numbers.
        shape: The shape that they must have.

    Raises:
        SettingsError: Something else than numbers, or another shape.
    """
    tensor = as_tensor(name, values).to(torch.float32)
    if tensor.shape != shape:
        raise SettingsError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}.")
    return tensor


def as_tensor(name: str, values: Any) -> Tensor:
    """Values as a tensor of their own type and device, without gradients.

    Raises:
        SettingsError: Something else than real numbers, or masked values.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise SettingsError(f"{name} must have no masked values, got {values!r}. Fill them by filled().")
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        values = values.copy()  # torch warns of an array that it must not write to
    try:
        tensor = torch.as_tensor(values).detach()
        if tensor.is_complex():
            raise TypeError("complex numbers")
        return tensor
    except (TypeError, ValueError, RuntimeError) as error:
        raise SettingsTypeError(f"{name} must be an array or tensor of numbers, got {values!r}.") from error


def check_reset_options(options: Mapping[str, Any] | None, valid: tuple[str, ...]) -> Mapping[str, Any]:
    """The options of a reset; none for None.

    Args:
        options: `reset(options=...)`.
        valid: The names that the environment knows.

    Raises:
        SettingsError: An unknown name, or something else than options by name.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise SettingsTypeError(f"options must be a dict of {', '.join(valid)}, got {options!r}.")
    for name in options:
        if name not in valid:
            raise unknown_name("option of reset", name, valid)
    return options
