"""`Columns`: which columns of a table are what, as given by the user or as their names tell."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeAlias

from offline_envs.errors import SettingsError, SettingsTypeError, unknown_name

ROLE_NAMES: Mapping[str, tuple[str, ...]] = {
    "obs": ("obs", "observation", "observations"),
    "action": ("action", "actions"),
    "next_obs": ("next_obs", "next_observation", "next_observations"),
    "reward": ("reward", "rewards", "next.reward"),
    "episode": ("episode", "episode_id", "episode_index"),
    "terminated": ("terminated", "termination", "terminations", "terminal", "terminals"),
    "truncated": ("truncated", "truncation", "truncations", "timeout", "timeouts", "next.truncated"),
    "time": ("time", "timestamp"),
}
"""Names, in small letters, by which a column is found for a key that is not given."""

MATRICES = ("obs", "action", "next_obs")
"""Keys of several columns, also found by a name that continues: `obs_0`, `obs.speed`, `observation[2]`."""

ONE_NUMBER = r"[._\[ ].*|\d+"
"""How the name of one of several columns continues."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what. A key that is left out is found by `ROLE_NAMES`, see `found_in`.

    Attributes:
        obs: Columns of the observation, each of numbers or of lists of numbers. Needed.
        action: Columns of the action. Needed.
        reward: Column of the reward that the action of its row brought; or one number for every row. Needed.
        episode: Column that tells episodes apart, by numbers or texts; False where all rows are one episode.
            Needed, unless there are `truncated` or `next_obs`.
        terminated: Column of 0 and 1: whether the action of its row ended the MDP; False where none does.
        truncated: Column of 0 and 1: whether the episode ends after its row for another reason; False where
            none does.
        next_obs: Columns of the observation that followed, in the order of `obs`.
        time: Column of numbers or ISO times; rows of an episode must be evenly spaced in it. False for none.
        final_rows: Whether the last row of every episode holds its final observation only. None: it does if
            the action is empty there, in every episode.
        action_low: Lower bound of the actions, for all or for each of their dimensions; None for the
            smallest that the data hold.
        action_high: Upper bound of the actions, likewise.
        units: Unit of columns by name, for reports.

    Raises:
        SettingsError: A value of the wrong type, or a column with two meanings.
    """

    obs: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    reward: str | float | None = None
    episode: str | bool | None = None
    terminated: str | bool | None = None
    truncated: str | bool | None = None
    next_obs: tuple[str, ...] = ()
    time: str | bool | None = None
    final_rows: bool | None = None
    action_low: float | tuple[float, ...] | None = None
    action_high: float | tuple[float, ...] | None = None
    units: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, choice: "ColumnsChoice") -> "Columns":
        """Read the keys that the user gives.

        Raises:
            SettingsError: An unknown key, a value of the wrong type, or no such file.
        """
        if isinstance(choice, Columns):
            return choice
        given = read_columns(choice)
        names = [one.name for one in fields(cls)]
        for name in given:
            if name not in names:
                raise unknown_name("key of columns", name, names)
        return cls(**{name: _checked(name, value) for name, value in given.items()})

    def __post_init__(self) -> None:
        used = self.used
        twice = sorted({name for name in used if used.count(name) > 1})
        if twice:
            raise SettingsError(f"columns: each column has one meaning; {twice} would have several.")

    @property
    def used(self) -> list[str]:
        """Names of all columns with a meaning."""
        single = (self.reward, self.episode, self.terminated, self.truncated, self.time)
        return [*self.obs, *self.action, *self.next_obs, *(name for name in single if isinstance(name, str))]

    @property
    def key(self) -> str:
        """Cache key: distinct columns have distinct keys."""
        return repr(self)

    def found_in(self, names: Sequence[str]) -> "Columns":
        """Complete the keys that are not given by the names of a table's columns.

        A column without a meaning gets that of the key in whose row of `ROLE_NAMES` its name stands, whatever
        its capitals; for `MATRICES` also a name that continues one of these. Of `obs`, `action` and
        `next_obs`, the order is the table's. A key that two columns fit is left open.

        Args:
            names: Names of all columns.
        """
        taken, found = {*self.used}, dict[str, Any]()
        for role in ROLE_NAMES:
            if getattr(self, role) not in (None, ()):
                continue
            fitting = [name for name in names if name not in taken and _fits(role, name)]
            if role in MATRICES:
                found[role] = tuple(fitting)
            elif len(fitting) == 1:
                (found[role],) = fitting
        return Columns(**{**{one.name: getattr(self, one.name) for one in fields(self)}, **found})


ColumnsChoice: TypeAlias = Columns | Mapping[str, Any] | str | Path
"""`Columns`, their keys by name, or a TOML file that holds these."""


def read_columns(choice: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """Return the keys by name, read from a TOML file if one is given.

    Raises:
        SettingsError: There is no such file, or it is not TOML.
    """
    if isinstance(choice, Mapping):
        return dict(choice)
    path = Path(choice).expanduser()
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"columns={str(choice)!r} cannot be read: {error.strerror}. Give a TOML file or a mapping."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"columns={str(choice)!r} is not TOML: {error}.") from error


def _fits(role: str, name: str) -> bool:
    small = name.strip().lower()
    starts = ROLE_NAMES[role]
    if small in starts:
        return True
    return role in MATRICES and any(
        small.startswith(start) and re.fullmatch(ONE_NUMBER, small.removeprefix(start)) for start in starts
    )


def _checked(name: str, value: Any) -> Any:
    kind, valid = KEYS[name]
    if name in MATRICES and isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = tuple(value)
    if not valid(value):
        raise SettingsTypeError(f"columns: {name} must be {kind}, got {value!r}.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_names(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(name, str) for name in value)


def _is_name_or_false(value: Any) -> bool:
    return isinstance(value, str) or value is False


def _is_bound(value: Any) -> bool:
    return _is_number(value) or (isinstance(value, tuple) and all(map(_is_number, value)))


def _are_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for text in (*value, *value.values()))


NAMES = ("a column's name or a list of these", _are_names)
NAME_OR_FALSE = ("a column's name, or False for no such column", _is_name_or_false)
BOUND = ("a number or one for each dimension", _is_bound)
KEYS: Mapping[str, tuple[str, Any]] = {
    "obs": NAMES,
    "action": NAMES,
    "reward": ("a column's name or a number", lambda value: isinstance(value, str) or _is_number(value)),
    "episode": NAME_OR_FALSE,
    "terminated": NAME_OR_FALSE,
    "truncated": NAME_OR_FALSE,
    "next_obs": NAMES,
    "time": NAME_OR_FALSE,
    "final_rows": ("True or False", lambda value: isinstance(value, bool)),
    "action_low": BOUND,
    "action_high": BOUND,
    "units": ("units by column", _are_texts),
}
"""What each key may be, in words and as a check."""
