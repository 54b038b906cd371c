"""Random tables, sound or with flaws, and the rows that a plain loop reads from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

Cells = dict[str, list[Any]]

LARGEST = float(np.finfo(np.float32).max)
EXTREMES = (3e38, -3e38, 1e-45, 1e-300, 0.1, -0.0, 123456789.0)
WRONG = (None, None, np.nan, np.inf, -np.inf, 1e39, -1e300, "x")


class Row(NamedTuple):
    """A step as it must be loaded; `first` begins an episode."""

    obs: list[float]
    action: list[float]
    reward: float
    next_obs: list[float]
    terminated: bool
    first: bool


@dataclass(frozen=True)
class RandomTable:
    """A table before it has a format.

    Attributes:
        cells: Columns by name, of Python's numbers, texts, and None for empty cells.
        roles: Meaning → names of columns, or what else `columns=` may say.
        flaws: What was done to it.
        seed: Seed of what the doors choose.
    """

    cells: Cells
    roles: dict[str, Any]
    flaws: tuple[str, ...]
    seed: int

    def __len__(self) -> int:
        return len(next(iter(self.cells.values())))


@st.composite
def tables(draw: st.DrawFn) -> RandomTable:
    """Draw the episodes, and the rest from a drawn seed, which spreads the choices evenly."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    return random_table(rng, lengths)


def random_table(rng: np.random.Generator, lengths: list[int]) -> RandomTable:
    """A table of episodes of some lengths, with up to two flaws."""
    table = sound(rng, lengths, str(rng.choice(["next row", "final rows", "successors"])))
    for _ in range(int(rng.choice([0, 0, 1, 2]))):
        table = FLAWS[int(rng.integers(len(FLAWS)))](table, rng)
    return table


def sound(rng: np.random.Generator, lengths: list[int], kind: str) -> RandomTable:
    """Episodes of some lengths, whose rows hold their successors, or are followed by them."""
    n, ends = sum(lengths), np.cumsum(lengths) - 1
    n_obs, n_action = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    # A successor is compared with the next row up to roundings of the column's largest number.
    obs = [column(rng, n, extreme=kind != "successors") for _ in range(n_obs)]
    cells: Cells = {f"obs_{i}": values for i, values in enumerate(obs)}
    cells |= {f"action_{i}": rng.uniform(-1, 1, n).tolist() for i in range(n_action)}
    cells["reward"] = column(rng, n)
    roles: dict[str, Any] = {"obs": list(cells)[:n_obs], "action": list(cells)[n_obs : n_obs + n_action]}
    roles["reward"] = "reward"
    names = episode_ids(rng, len(lengths))
    cells["episode"] = [name for name, length in zip(names, lengths, strict=True) for _ in range(length)]
    roles["episode"] = "episode"
    flag = (bool, int, float)[int(rng.integers(3))]
    marked = rng.random(n) < 0.5
    cells["terminated"] = [flag(t in ends and marked[t]) for t in range(n)]
    roles["terminated"] = "terminated"
    if rng.random() < 0.5:
        unit = float(rng.choice([1, 0.02, 1e9]))
        cells["time"] = [unit * (5 + t) for length in lengths for t in range(length)]
        roles["time"] = "time"
    if kind == "successors":
        after = {f"next_obs_{i}": [*values[1:], *column(rng, 1)] for i, values in enumerate(obs)}
        for t in ends:
            for name, values in after.items():
                values[t] = float(cells[name.removeprefix("next_")][t] == 0)
        cells |= after
        roles["next_obs"] = list(after)
    elif kind == "final rows":
        for name in (*roles["action"], "reward", *(["terminated"] if rng.random() < 0.5 else [])):
            cells[name] = [None if t in ends else value for t, value in enumerate(cells[name])]
    elif rng.random() < 0.3:  # ends are told by marks alone
        del cells["episode"], roles["episode"]
        cells["truncated"], roles["truncated"] = [flag(t in ends) for t in range(n)], "truncated"
    if rng.random() < 0.3:
        roles |= {"action_low": -1.0, "action_high": [1.0] * n_action}
    cells["note"] = ["text", None, *["more"] * n][:n]
    return RandomTable(cells, roles, (), int(rng.integers(2**32)))


def column(rng: np.random.Generator, n: int, *, extreme: bool = True) -> list[Any]:
    """Numbers of one kind, from Python."""
    kind = rng.choice([0, 1, 2, 3] if extreme else [0, 1, 3])
    if kind == 0:
        return list(rng.integers(-(2**40), 2**40, n).tolist())
    if kind == 1:
        return list((rng.random(n) < 0.5).tolist())
    if kind == 2:
        return [float(value) for value in rng.choice(EXTREMES, n)]
    return list((rng.normal(size=n) * 10.0 ** rng.integers(-5, 6)).tolist())


def episode_ids(rng: np.random.Generator, n: int) -> list[Any]:
    """Different ids in any order: numbers with gaps, texts, or large numbers such as times in nanoseconds."""
    kind = rng.integers(4)
    if kind == 0:
        return [f"run {letter}, {i}" for i, letter in enumerate(rng.permutation(list("abcde"))[:n])]
    if kind == 1:
        return [float(i) / 2 for i in rng.permutation(20)[:n]]
    first = 1_764_000_000_000_000_000 if kind == 2 else int(rng.integers(-5, 5))
    return [first + int(i) for i in rng.permutation(10)[:n]]


Flaw = Callable[[RandomTable, np.random.Generator], RandomTable]


def wrong_cell(table: RandomTable, rng: np.random.Generator) -> RandomTable:
    """Empty a cell, or put something that is no usable number into it."""
    name = str(rng.choice(list(table.cells)))
    value = WRONG[int(rng.integers(len(WRONG)))]
    if name == "episode" and value is not None:
        return table
    cells = list(table.cells[name])
    cells[int(rng.integers(len(table)))] = value
    return changed(table, f"{value} in {name.split('_')[0]}", {name: cells})


def wrong_flag(table: RandomTable, rng: np.random.Generator) -> RandomTable:
    """Put 2, a half, or a mark in the middle of an episode among the flags."""
    name = "truncated" if "truncated" in table.cells and rng.random() < 0.5 else "terminated"
    cells, value = list(table.cells[name]), (2, 0.5, 1, True)[int(rng.integers(4))]
    cells[int(rng.integers(len(table)))] = value
    return changed(table, f"flag {value}", {name: cells})


def empty_row(table: RandomTable, rng: np.random.Generator) -> RandomTable:
    """Leave a row empty but for its episode."""
    row = int(rng.integers(len(table)))
    kept = ("episode",) if rng.random() < 0.8 else ()
    cells = {
        name: values if name in kept else [None if t == row else value for t, value in enumerate(values)]
        for name, values in table.cells.items()
    }
    return changed(table, "empty row", cells)


def swapped_rows(table: RandomTable, rng: np.random.Generator) -> RandomTable:
    """Exchange two rows."""
    order = np.arange(len(table))
    pair = rng.integers(len(table), size=2)
    order[pair] = order[pair[::-1]]
    return ordered(table, "swapped rows", order)


def shuffled_rows(table: RandomTable, rng: np.random.Generator) -> RandomTable:
    """Bring the rows into any order."""
    return ordered(table, "shuffled rows", rng.permutation(len(table)))


def missing_row(table: RandomTable, rng: np.random.Generator) -> RandomTable:
    """Delete a row, or write it twice."""
    row = int(rng.integers(len(table)))
    order = np.delete(np.arange(len(table)), row)
    if len(order) == 0 or rng.random() < 0.5:
        return ordered(table, "repeated row", np.insert(np.arange(len(table)), row, row))
    return ordered(table, "missing row", order)


def reused_id(table: RandomTable, rng: np.random.Generator) -> RandomTable:
    """Give all rows from one on the id of the first, or no meaning to the ids."""
    if "episode" not in table.cells:
        return table
    if rng.random() < 0.5:
        return replace(table, roles=table.roles | {"episode": False}, flaws=(*table.flaws, "one episode"))
    row, ids = int(rng.integers(len(table))), table.cells["episode"]
    return changed(table, "reused id", {"episode": ids[:row] + [ids[0]] * (len(ids) - row)})


def constant_action(table: RandomTable, rng: np.random.Generator) -> RandomTable:
    """Give one number to an action of every row."""
    name = str(rng.choice(table.roles["action"]))
    return changed(table, "constant action", {name: [v if v is None else 0.5 for v in table.cells[name]]})


FLAWS: tuple[Flaw, ...] = (
    wrong_cell,
    wrong_cell,
    wrong_cell,
    wrong_flag,
    empty_row,
    swapped_rows,
    shuffled_rows,
    missing_row,
    reused_id,
    constant_action,
)


def changed(table: RandomTable, flaw: str, cells: Cells) -> RandomTable:
    """The table with other columns."""
    return replace(table, cells=table.cells | cells, flaws=(*table.flaws, flaw))


def ordered(table: RandomTable, flaw: str, order: Any) -> RandomTable:
    """The table with its rows in another order."""
    return changed(table, flaw, {name: [values[t] for t in order] for name, values in table.cells.items()})


class RefusedError(Exception):
    """The table must be refused."""


def expected_rows(table: RandomTable) -> list[Row] | None:
    """Rows that a table must give, None if it must be refused: docs/data.md as a plain loop."""
    try:
        return _rows(table)
    except RefusedError:
        return None


def _rows(table: RandomTable) -> list[Row]:
    cells, roles, n = table.cells, table.roles, len(table)
    _check_no_text(table)
    starts = _starts(table)
    lasts = [t for t in range(n) if t == n - 1 or t + 1 in starts]
    final = _final(table, lasts)
    kept = [t for t in range(n) if t not in final]
    obs = [_finite([cells[name][t] for name in roles["obs"]]) for t in range(n)]
    flags = {name: _flags(cells[name], kept) for name in ("terminated", "truncated") if name in roles}
    cut = flags.get("truncated", [False] * n)
    rows, first = [], True
    for t in kept:
        action = _finite([cells[name][t] for name in roles["action"]])
        reward = _finite([cells["reward"][t]])[0]
        terminated = flags["terminated"][t] or (t + 1 in final and flags["terminated"][t + 1])
        ends = terminated or cut[t] or t in lasts or t + 1 in final
        if "next_obs" in roles:
            successor = _finite([cells[name][t] for name in roles["next_obs"]])
            ends = ends or successor != obs[t + 1]
        elif ends and not final:
            first = True
            continue
        else:
            successor = obs[t + 1]
        rows.append(Row(obs[t], action, reward, successor, terminated, first))
        first = ends
    _check_bounds(table, rows)
    return rows


def _check_no_text(table: RandomTable) -> None:
    names = [*table.roles["obs"], *table.roles["action"], *table.roles.get("next_obs", [])]
    names += [name for name in ("reward", "terminated", "truncated", "time") if name in table.roles]
    if any(isinstance(cell, str) for name in names for cell in table.cells[name]):
        raise RefusedError("text")


def _final(table: RandomTable, lasts: list[int]) -> set[int]:
    """Rows that hold an observation only."""
    if "episode" not in table.roles or "next_obs" in table.roles:
        return set()
    actions = [table.cells[name][t] for name in table.roles["action"] for t in lasts]
    return set(lasts) if all(map(_is_empty, actions)) else set()


def _check_bounds(table: RandomTable, rows: list[Row]) -> None:
    if not rows:
        raise RefusedError("no step")
    for dimension in range(len(table.roles["action"])):
        if "action_low" not in table.roles and len({row.action[dimension] for row in rows}) < 2:
            raise RefusedError("an action that never changes has no bounds")


def _starts(table: RandomTable) -> set[int]:
    """First rows of the episodes, whose times are looked at."""
    cells, roles, n = table.cells, table.roles, len(table)
    starts = {0}
    if roles.get("episode"):
        ids, seen = cells["episode"], set()
        for t, name in enumerate(ids):
            if _is_empty(name) or (t > 0 and name != ids[t - 1] and name in seen):
                raise RefusedError("episode")
            if t > 0 and name != ids[t - 1]:
                starts.add(t)
            seen.add(name)
    else:
        everywhere = list(range(n))
        marks = [_flags(cells["truncated"], everywhere)] if "truncated" in roles else []
        if "episode" not in roles:
            marks.append(_flags(cells["terminated"], everywhere))
        starts |= {t + 1 for mark in marks for t in range(n - 1) if mark[t]}
    if "time" in roles:
        times = _finite(cells["time"], largest=np.inf)
        steps = [times[t + 1] - times[t] for t in range(n - 1) if t + 1 not in starts]
        if steps:
            usual = float(np.median(steps))
            if usual <= 0 or any(abs(step - usual) > usual / 2 for step in steps):
                raise RefusedError("time")
    return starts


def _finite(cells: list[Any], largest: float = LARGEST) -> list[float]:
    """Numbers as float32 has them, or as they are; all must be there."""
    if any(_is_empty(cell) or not abs(cell) <= largest or abs(cell) == np.inf for cell in cells):
        raise RefusedError("no finite number")
    return [float(np.float32(cell)) if largest == LARGEST else float(cell) for cell in cells]


def _flags(cells: list[Any], needed: list[int]) -> list[bool]:
    """0 and 1 where they are needed; elsewhere a cell may be empty."""
    for t, cell in enumerate(cells):
        if cell not in (0, 1) and (t in needed or not _is_empty(cell)):
            raise RefusedError("flag")
    return [cell == 1 for cell in cells]


def _is_empty(cell: Any) -> bool:
    return cell is None or cell != cell
