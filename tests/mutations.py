"""Break files in the ways that disks, copies and hands do, and see that no break is loaded in silence.

`OFFLINE_ENVS_MUTATIONS` sets how many mutations of each file are tried.
"""

import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from offline_envs.errors import OfflineEnvsError

N_MUTATIONS = int(os.environ.get("OFFLINE_ENVS_MUTATIONS", "40"))

_OTHER: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    float: lambda value: value * 1.01 + 1e-3,
    str: lambda value: value + "x",
    type(None): lambda value: 1,
    list: lambda value: value[:-1] if value else [1],
    dict: lambda value: dict(list(value.items())[:-1]) if value else {"x": 1},
}
"""Another value of the same type."""


class Mutation(NamedTuple):
    """What was done to a file, and its new content; None deletes it."""

    what: str
    content: bytes | None


class Counts(NamedTuple):
    """How many mutations were refused, and how many loaded as the same contents."""

    refused: int
    same: int


def mutations(
    path: Path, *, others: Sequence[Path] = (), n: int = N_MUTATIONS, seed: int = 0
) -> list[Mutation]:
    """Make up to `n` mutations of a file: deleted, swapped, cut, extended, edited, and bits flipped.

    Args:
        path: The file.
        others: Files of the same kind with other contents, to swap it with.
        n: Most mutations; every kind is among them.
        seed: Seed of the places.
    """
    content, draw = path.read_bytes(), random.Random(seed)
    found = [Mutation("deleted", None), Mutation("emptied", b""), Mutation("extended", content + b"\0")]
    found += [Mutation(f"swapped with {other.name}", other.read_bytes()) for other in others]
    cuts = [len(content) - 1, *(draw.randrange(1, len(content)) for _ in range(3))]
    found += [Mutation(f"cut to {length}", content[:length]) for length in cuts]
    found += [Mutation("a block of zeros", _zeroed(content, draw)) for _ in range(2)]
    if path.suffix == ".json":
        edits = list(_edited(json.loads(content)))
        found += draw.sample(edits, min(len(edits), max(1, (n - len(found)) // 2)))
    places = [*draw.sample(range(min(len(content), 200)), min(len(content), 4))]
    places += [draw.randrange(len(content)) for _ in range(max(0, n - len(found) - len(places)))]
    found += [_flipped(content, place, draw.randrange(8)) for place in places]
    return [mutation for mutation in found if mutation.content != content][: max(n, 1)]


def check_mutations(
    path: Path, load: Callable[[], Any], *, others: Sequence[Path] = (), n: int = N_MUTATIONS
) -> Counts:
    """Load after each mutation of a file: an error of this package's own, or exactly the same contents.

    Args:
        path: The file; restored at the end.
        load: Loads everything that depends on the file, as a value that `==` compares exactly.
        others: See `mutations`.
        n: See `mutations`.

    Returns:
        How often either happened; also printed.
    """
    content, expected = path.read_bytes(), load()
    refused, same, wrong = 0, 0, []
    for mutation in mutations(path, others=others, n=n):
        if mutation.content is None:
            path.unlink()
        else:
            path.write_bytes(mutation.content)
        try:
            found = load()
        except OfflineEnvsError:
            refused += 1
        except Exception as error:  # anything else is what this looks for
            wrong.append(f"{mutation.what}: {error!r}")
        else:
            same += found == expected
            wrong += [] if found == expected else [f"{mutation.what}: loaded as something else"]
        path.write_bytes(content)
    print(f"{path.name}: {refused} mutations refused, {same} loaded as the same contents, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)
    assert load() == expected
    return Counts(refused, same)


def _flipped(content: bytes, place: int, bit: int) -> Mutation:
    changed = bytes([content[place] ^ (1 << bit)])
    return Mutation(f"bit {bit} of byte {place} flipped", content[:place] + changed + content[place + 1 :])


def _zeroed(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content))
    length = min(64, len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def _edited(value: Any) -> Iterator[Mutation]:
    """JSON files with one value changed or one entry missing, at any depth."""
    for where in _places(value):
        edited = json.loads(json.dumps(value))
        parent = edited
        for step in where[:-1]:
            parent = parent[step]
        old = parent[where[-1]]
        parent[where[-1]] = _OTHER[type(old)](old)
        yield Mutation(f"{where} edited", json.dumps(edited).encode())
        del parent[where[-1]]
        yield Mutation(f"{where} removed", json.dumps(edited).encode())


def _places(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))[:3]
    for name, below in items:
        yield (*where, name)
        yield from _places(below, (*where, name))
