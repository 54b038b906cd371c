"""HDF5 files in the layout of D4RL: one row per step, episodes one after another."""

from pathlib import Path

from offline_envs.data.array_source import ABOUT, named_fields, transitions_from_arrays
from offline_envs.data.health.precision import sampled_steps, warn_of_lost_steps
from offline_envs.data.stored import hdf5
from offline_envs.data.transitions import Transitions
from offline_envs.errors import DatasetError


def transitions_from_d4rl(path: Path) -> Transitions:
    """Read observations, actions, rewards and terminals; timeouts, next_observations and infos if present.

    Files without `next_observations` lose the last row of every episode, with a warning: the next row is the
    first of another episode. (D4RL's own `qlearning_dataset` joins the two at a terminal, which a learned
    model would take for a jump; https://github.com/Farama-Foundation/D4RL, `d4rl/__init__.py`.) Files without
    `timeouts` need `next_observations`: an episode ends where the successor is not the next row's
    observation, also in files with timeouts, some of which lack marks.

    Raises:
        DatasetError: The file is not HDF5, is truncated, or has another layout.
    """
    with hdf5.opened(path) as root:
        if "episode_0" in hdf5.names(root):
            raise DatasetError(
                f"{path} has Minari's layout, but there is no metadata.json beside it. "
                "Pass the Minari id, or put metadata.json back."
            )
        wanted = [name for name in hdf5.array_names(root) if not name.startswith(ABOUT)]
        arrays = {name: hdf5.read_as_float32(root, name) for name in wanted}
        flat = "actions" in arrays and arrays["actions"].ndim == 1
        if flat and hdf5.Rows(root, "actions").dtype.kind in "iu":
            arrays["actions"] = arrays["actions"][:, None]  # choices; `action_space=` says among what
    source = f"D4RL file {str(path)!r}"
    transitions = transitions_from_arrays(arrays, source=source, own=True)
    with hdf5.opened(path) as root:
        stored = {field: hdf5.Rows(root, name) for field, name in named_fields(source, arrays).items()}
        rounded = {field: rows for field, rows in stored.items() if rows.dtype.kind == "f"}  # on reading
        steps = sampled_steps(rounded)
    warn_of_lost_steps(source, steps)
    return transitions
