"""Time and memory of loading a dataset, compared with reading the same bytes.

Run `python benchmarks/dataset_loading.py`. A Minari dataset of random steps is written to a temporary folder,
with float64 observations as Minari's MuJoCo datasets have, and read by three fresh processes:

- `load_transitions`, this package;
- Minari's own iteration, its episodes flattened and concatenated;
- the floor: the same numbers, from one flat HDF5 file into arrays of the right size, nothing converted.
"""

import os
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import minari
import numpy as np
import typer
from gymnasium.spaces import Box
from h5py import h5d, h5f, h5s, h5t
from minari.data_collector import EpisodeBuffer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from offline_envs.data import load_transitions

OBS_DIM, ACTION_DIM = 17, 6  # HalfCheetah and Walker2d
DATASET_ID = "benchmark/random-v0"
FLAT_FIELDS = ("observations", "actions", "rewards", "terminations")
MEGABYTE = 2**20


class Cost(NamedTuple):
    """The cost of one reader."""

    seconds: float
    extra_peak: float  # MiB above what the process held before


def main(
    rows: Annotated[int, typer.Option(help="Steps of the dataset.", min=1)] = 1_000_000,
    episode_length: Annotated[int, typer.Option(help="Steps of an episode.", min=1)] = 1000,
) -> None:
    """Measure dataset loading and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder  # inherited by the measuring processes
        write_dataset(rows, episode_length)
        write_flat(flat_path())
        costs = {name: measured(name) for name in READERS}
    print_table(costs, rows, episode_length)


def write_dataset(rows: int, episode_length: int) -> None:
    """Write a Minari dataset of random steps, the last episode as long as is left."""
    generator = np.random.default_rng(0)
    lengths = [min(episode_length, rows - start) for start in range(0, rows, episode_length)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is (set to )?None", category=UserWarning)
        minari.create_dataset_from_buffers(
            DATASET_ID,
            [random_episode(generator, length) for length in lengths],
            observation_space=Box(-np.inf, np.inf, (OBS_DIM,), np.float64),
            action_space=Box(-1.0, 1.0, (ACTION_DIM,), np.float32),
        )


def random_episode(generator: np.random.Generator, length: int) -> EpisodeBuffer:
    """Return an episode of `length` random steps that ends by truncation."""
    arrays: dict[str, Any] = {  # Minari takes arrays, but its types say lists
        "observations": generator.normal(size=(length + 1, OBS_DIM)),
        "actions": generator.uniform(-1, 1, size=(length, ACTION_DIM)).astype(np.float32),
        "rewards": generator.normal(size=length),
        "terminations": np.zeros(length, np.bool_),
        "truncations": np.arange(1, length + 1) == length,
    }
    return EpisodeBuffer(**arrays)


def flat_path() -> Path:
    """Path of the flat copy of the dataset."""
    return Path(os.environ["MINARI_DATASETS_PATH"]) / "flat.hdf5"


def write_flat(path: Path) -> None:
    """Copy the dataset into one contiguous array a field."""
    episodes = list(minari.load_dataset(DATASET_ID))
    file = h5f.create(os.fsencode(path))
    for name in FLAT_FIELDS:
        values = np.concatenate([getattr(episode, name) for episode in episodes])
        space, kind = h5s.create_simple(values.shape), h5_type(values.dtype)
        h5d.create(file, name.encode(), kind, space).write(h5s.ALL, h5s.ALL, values)
    file.close()


def h5_type(dtype: np.dtype[Any]) -> Any:
    """Return HDF5's name for a dtype."""
    return h5t.py_create(dtype)


def read_ours() -> Any:
    """Read the dataset with this package."""
    return load_transitions(DATASET_ID)


def read_by_iteration() -> Any:
    """Read the dataset as Minari's documentation does."""
    episodes = list(minari.load_dataset(DATASET_ID))
    fields: dict[str, list[NDArray[np.float32]]] = {
        "obs": [episode.observations[:-1].astype(np.float32) for episode in episodes],
        "next_obs": [episode.observations[1:].astype(np.float32) for episode in episodes],
        "actions": [episode.actions for episode in episodes],
        "rewards": [episode.rewards.astype(np.float32) for episode in episodes],
        "terminated": [episode.terminations for episode in episodes],
    }
    return {name: np.concatenate(values) for name, values in fields.items()}


def read_flat() -> Any:
    """Read the flat copy into arrays of the right size."""
    file = h5f.open(os.fsencode(flat_path()), h5f.ACC_RDONLY)
    arrays = {}
    for name in FLAT_FIELDS:
        dataset = h5d.open(file, name.encode())
        arrays[name] = np.empty(dataset.shape, dataset.dtype)
        dataset.read(h5s.ALL, h5s.ALL, arrays[name])
    return arrays


READERS: dict[str, Callable[[], Any]] = {
    "load_transitions": read_ours,
    "Minari iteration": read_by_iteration,
    "floor: flat HDF5": read_flat,
}


def measured(name: str) -> Cost:
    """Run a reader in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(cost_of, name).result()


def cost_of(name: str) -> Cost:
    """Run a reader in this process, which must be fresh, because memory that was once touched counts."""
    before = reset_peak()
    start = time.perf_counter()
    kept = READERS[name]()
    seconds = time.perf_counter() - start
    del kept  # Only its memory mattered.
    return Cost(seconds, memory("VmHWM") - before)


def reset_peak() -> float:
    """Forget the highest memory so far and return what the process holds now, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def memory(entry: str) -> float:
    """Return an entry of Linux's `/proc/self/status` in MiB.

    Not `getrusage`, whose peak a spawned process inherits from its parent.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    kibibytes = next(line.split()[1] for line in lines if line.startswith(entry))
    return int(kibibytes) * 1024 / MEGABYTE


def print_table(costs: dict[str, Cost], rows: int, episode_length: int) -> None:
    """Print one row a reader, the floor last."""
    floor = costs["floor: flat HDF5"].seconds
    title = f"Loading {rows:,} transitions, {OBS_DIM}+{ACTION_DIM} dimensions, episodes of {episode_length}"
    table = Table(title=title)
    table.add_column("reader", no_wrap=True)
    for column in ("seconds", "steps/s", "extra peak MiB", "floor"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, cost in costs.items():
        numbers = f"{cost.seconds:.2f}", f"{rows / cost.seconds:,.0f}", f"{cost.extra_peak:.0f}"
        table.add_row(name, *numbers, f"{cost.seconds / floor:.1f}x")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
