"""`Columns`: which columns of a table are what, as given by the user or as their names tell."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeAlias

from offline_envs.errors import SettingsError, SettingsTypeError, unknown_name

ROLE_NAMES: Mapping[str, tuple[str, ...]] = {
    "obs": (
        "obs",
        "observation",
        "observations",
        "observation.state",
        "observation.environment_state",
    ),
    "action": ("action", "actions"),
    "next_obs": (
        "next_obs",
        "next_observation",
        "next_observations",
        "next.obs",
        "next.observation",
        "next.observation.state",
        "obs_next",
        "observation_next",
        "observations_next",
    ),
    "reward": ("reward", "rewards", "next.reward"),
    "episode": ("episode", "episode_id", "episode_index"),
    "terminated": ("terminated", "termination", "terminations", "terminal", "terminals"),
    "truncated": ("truncated", "truncation", "truncations", "timeout", "timeouts", "next.truncated"),
    "time": ("time", "timestamp"),
}
"""Names, in small letters, by which a column is found for a key that is not given."""

MATRICES = ("obs", "action", "next_obs")
"""Keys of several columns, also found by the names of a numbered series: `obs_0`, `observation[2]`."""

NUMBERED = r"[._ ]?(\d+|\[\d+\])"
"""How a name in a numbered series ends."""

GOES_ON = r"[._\[ ].*|\d+"
"""How a name ends that may be of a key, `action_x`, or of something beside it, `action_logprob`."""


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
        its capitals. If there is none for one of `MATRICES`, columns count whose names are a numbered series;
        beside `obs`, a column `obs2` may hold what followed. Of `obs`, `action` and `next_obs`, the order is
        the table's. A key of one column that two columns fit is left open.

        Args:
            names: Names of all columns.
        """
        found = dict[str, Any]()
        for role, endings in self._by_name(names).items():
            exact = tuple(name for name, ending in endings.items() if not ending)
            if role in MATRICES:
                numbered = (name for name, ending in endings.items() if re.fullmatch(NUMBERED, ending))
                found[role] = exact or tuple(numbered)
            elif len(exact) == 1:
                (found[role],) = exact
        return Columns(**{**{one.name: getattr(self, one.name) for one in fields(self)}, **found})

    def left_out(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Columns that `found_in` does not take, although their names begin like those of a key, by key.

        Args:
            names: Names of all columns.
        """
        used = self.found_in(names).used
        by_name = {role: endings for role, endings in self._by_name(names).items() if role in MATRICES}
        beside = {role: [name for name in endings if name not in used] for role, endings in by_name.items()}
        return {role: found for role, found in beside.items() if found}

    def _by_name(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Columns without a meaning by the key that their names tell, if it is open, each with its ending."""
        used = {*self.used}
        found: dict[str, dict[str, str]] = {
            role: {} for role in ROLE_NAMES if getattr(self, role) in (None, ())
        }
        for name in names:
            role, ending = _read_name(name)
            if role in found and name not in used:
                found[role][name] = ending
        return found


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


def _read_name(name: str) -> tuple[str, str]:
    """The key that a name tells and the rest of it: of `obs_next_0`, `next_obs` and `_0`; else empty texts.

    The longest beginning counts, or successors would be taken for a part of the observation.
    """
    small = name.strip().lower()
    begun = [
        (len(start), role, small.removeprefix(start))
        for role, starts in ROLE_NAMES.items()
        for start in starts
        if small.startswith(start)
    ]
    told = [one for one in begun if not one[2] or (one[1] in MATRICES and re.fullmatch(GOES_ON, one[2]))]
    _, role, ending = max(told, default=(0, "", ""))
    return role, ending


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
