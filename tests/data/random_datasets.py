"""Random datasets, sound or with one flaw, and the doors through which they may come in."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from offline_envs.data import DatasetSource

Arrays = dict[str, NDArray[Any]]

NAMES = {
    "obs": ("obs", "observations"),
    "actions": ("actions",),
    "rewards": ("rewards",),
    "next_obs": ("next_obs", "next_observations"),
    "terminated": ("terminated", "terminals", "terminations"),
    "truncated": ("truncated", "timeouts", "truncations"),
    "episode_starts": ("episode_starts",),
    "infos/x": ("infos/x",),
}
IN_MINARI = {"obs": "observations", "actions": "actions", "rewards": "rewards", "terminated": "terminations"}
NUMBERS = ("<f4", "<f8", "<f2", ">f4", ">f8", "i1", "i8")
FLAGS = ("?", "u1", "f4", "i8")
FLOAT_FIELDS = ("obs", "actions", "rewards", "next_obs")


@dataclass(frozen=True)
class World:
    """A dataset before it has a format.

    Attributes:
        episodes: Episodes as Minari names their arrays, with `T + 1` observations.
        rows: The same as flat arrays by this package's names, with what it tells of its ends.
        names: The name that each field of `rows` has in files.
        flaw: What was done to it, or "sound".
        in_minari: Whether the flaw can also be written to Minari.
    """

    episodes: list[Arrays]
    rows: Arrays
    names: dict[str, str]
    flaw: str = "sound"
    in_minari: bool = True

    @property
    def fields(self) -> Arrays:
        """The flat arrays by their names in files."""
        return {self.names[field]: values for field, values in self.rows.items()}


def numbers(generator: np.random.Generator, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Random numbers that a type can hold, most of them different."""
    if np.dtype(dtype).kind == "i":
        return generator.integers(-100, 100, shape).astype(dtype)
    return generator.normal(size=shape).astype(dtype)


@st.composite
def worlds(draw: st.DrawFn, dims: tuple[int, int] | None = None, *, flawed: bool = True) -> World:
    """Draw episodes, and the rest from a drawn seed, which spreads the choices evenly."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    obs_dim, action_dim = dims or draw(st.tuples(st.integers(1, 3), st.integers(1, 2)))
    kind, flag = str(generator.choice(NUMBERS)), str(generator.choice(FLAGS))
    drawn = draw(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=5))
    episodes = [
        {
            "observations": numbers(generator, (length + 1, obs_dim), kind),
            "actions": generator.uniform(-1, 1, (length, action_dim)).astype(generator.choice(["f4", "f8"])),
            "rewards": numbers(generator, (length,), kind),
            "terminations": ((np.arange(length) == length - 1) & ends).astype(flag),
            "infos/x": generator.normal(size=length + 1),
        }
        for length, ends in drawn
    ]
    rows = flat(episodes, with_successors=generator.random() < 0.6)
    rows |= marks(generator, episodes, flag)
    names = {field: str(generator.choice(NAMES[field])) for field in rows}
    world = World(episodes, rows, names)
    if not flawed or generator.random() < 0.6:
        return world
    return FLAWS[generator.integers(len(FLAWS))](world, generator)


def flat(episodes: Sequence[Arrays], *, with_successors: bool) -> Arrays:
    """Join episodes as D4RL does."""
    rows = {
        name: np.concatenate([e[key] for e in episodes]) for name, key in IN_MINARI.items() if name != "obs"
    }
    rows["infos/x"] = np.concatenate([e["infos/x"][:-1] for e in episodes])
    rows["obs"] = np.concatenate([e["observations"][:-1] for e in episodes])
    if with_successors:
        rows["next_obs"] = np.concatenate([e["observations"][1:] for e in episodes])
    return rows


def marks(generator: np.random.Generator, episodes: Sequence[Arrays], flag: str) -> Arrays:
    """What a file tells of truncated episodes: nothing, all of them, or all but some that were forgotten."""
    lasts = np.cumsum([len(e["rewards"]) for e in episodes]) - 1
    kept = [last for last in lasts if generator.random() < 0.7]
    found: Arrays = {}
    if generator.random() < 0.6:
        found["truncated"] = np.isin(np.arange(lasts[-1] + 1), kept).astype(flag)
    if generator.random() < 0.4:
        found["episode_starts"] = np.array([0, *(last + 1 for last in kept if last < lasts[-1])])
    return found


Flaw = Callable[[World, np.random.Generator], World]


def value_flaw(name: str, fields: Sequence[str], value: Any, dtype: Any = None) -> Flaw:
    """Put a value into one row of one of the fields, in the flat arrays and in the episode it belongs to."""

    def spoil(world: World, generator: np.random.Generator) -> World:
        field = str(generator.choice([f for f in fields if f in world.rows]))
        row = int(generator.integers(len(world.rows["obs"])))
        spoilt = world.rows[field].astype(dtype or world.rows[field].dtype)
        spoilt[row] = value
        lengths = [len(e["rewards"]) for e in world.episodes]
        index = int(np.searchsorted(np.cumsum(lengths), row, side="right"))
        step = row - sum(lengths[:index])
        episodes = [dict(e) for e in world.episodes]
        key = IN_MINARI.get(field, "observations")
        whole = episodes[index][key].astype(spoilt.dtype)
        whole[step + (field == "next_obs")] = value
        episodes[index][key] = whole
        return World(episodes, world.rows | {field: spoilt}, world.names, name, field in IN_MINARI)

    return spoil


def missing_field(world: World, generator: np.random.Generator) -> World:
    """Leave out a field that is needed."""
    gone = str(generator.choice(list(IN_MINARI)))
    episodes = [dict(e) for e in world.episodes]
    del episodes[-1][IN_MINARI[gone]]
    return World(episodes, {n: v for n, v in world.rows.items() if n != gone}, world.names, "missing")


def short_field(world: World, generator: np.random.Generator) -> World:
    """Take a row from one field."""
    field = str(generator.choice(list(IN_MINARI)))
    episodes = [dict(e) for e in world.episodes]
    episodes[0][IN_MINARI[field]] = episodes[0][IN_MINARI[field]][:-1]
    return World(episodes, world.rows | {field: world.rows[field][:-1]}, world.names, "short")


def extra_axis(world: World, generator: np.random.Generator) -> World:
    """Give rewards an axis of their own."""
    del generator  # Unused.
    episodes = [e | {"rewards": e["rewards"][:, None]} for e in world.episodes]
    return World(
        episodes, world.rows | {"rewards": world.rows["rewards"][:, None]}, world.names, "extra axis"
    )


def scalar(world: World, generator: np.random.Generator) -> World:
    """Give a single number for all rows."""
    field = str(generator.choice(["rewards", "terminated"]))
    episodes = [e | {IN_MINARI[field]: np.array(1.0)} for e in world.episodes]
    return World(episodes, world.rows | {field: np.array(1.0)}, world.names, "scalar")


def wrong_starts(world: World, generator: np.random.Generator) -> World:
    """Begin with row 1, go beyond the end, or repeat a start."""
    size = len(world.rows["obs"])
    starts = [[1], [0, size], [0, 0]][int(generator.integers(3))]
    names = world.names | {"episode_starts": "episode_starts"}
    return World(world.episodes, world.rows | {"episode_starts": np.array(starts)}, names, "starts", False)


FLAWS: tuple[Flaw, ...] = (
    value_flaw("NaN", FLOAT_FIELDS, np.nan, "<f8"),
    value_flaw("infinity", FLOAT_FIELDS, -np.inf, "<f4"),
    value_flaw("too large", FLOAT_FIELDS, 1e300, "<f8"),
    value_flaw("text", FLOAT_FIELDS, b"x", "S5"),
    value_flaw("complex", FLOAT_FIELDS, 1j, "c16"),
    value_flaw("flag of 2", ("terminated",), 2, "u1"),
    value_flaw("flag of 2", ("truncated", "terminated"), 2, "i8"),
    value_flaw("flag of a half", ("terminated",), 0.5, "f4"),
    value_flaw("outside", ("actions",), 1.5),
    missing_field,
    short_field,
    extra_axis,
    scalar,
    wrong_starts,
)


def as_npz(world: World, folder: Path) -> DatasetSource:
    """Write an archive."""
    np.savez(folder / "a.npz", **world.fields)  # type: ignore[arg-type]
    return folder / "a.npz"


def as_hdf5(world: World, folder: Path) -> DatasetSource:
    """Write a file in D4RL's layout."""
    with h5py.File(folder / "a.hdf5", "w") as file:
        for name, values in world.fields.items():
            file[name] = values
    return folder / "a.hdf5"


def as_minari(world: World, folder: Path) -> DatasetSource:
    """Write a Minari folder, directly: Minari's own writer would refuse most flaws."""
    (folder / "minari").mkdir()
    with h5py.File(folder / "minari" / "main_data.hdf5", "w") as file:
        for i, episode in enumerate(world.episodes):
            group = file.create_group(f"episode_{i}")
            group.attrs["id"], group.attrs["total_steps"] = i, np.size(episode.get("rewards", ()))
            for name, values in episode.items():
                group[name] = values
    metadata = {
        "total_episodes": len(world.episodes),
        "total_steps": max(len(values) for values in world.rows.values() if values.ndim),
        "data_format": "hdf5",
        "observation_space": box(world.episodes[0].get("observations", world.rows.get("obs")), np.inf),
        "action_space": box(world.rows.get("actions", np.zeros((1, 1))), 1.0),
        "dataset_id": "random-v0",
        "minari_version": "0.5.4",
    }
    (folder / "minari" / "metadata.json").write_text(json.dumps(metadata))
    return folder / "minari"


def box(values: NDArray[Any] | None, bound: float) -> str:
    """A Box as Minari writes it."""
    width = 1 if values is None else values.shape[1]
    space = {
        "type": "Box",
        "dtype": "float32",
        "shape": [width],
        "low": [-bound] * width,
        "high": [bound] * width,
    }
    return json.dumps(space)
