"""`JsonSettings`: frozen dataclasses of settings whose fields are checked by their annotations."""

import json
from collections.abc import Mapping
from dataclasses import Field, asdict, fields
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, Self, get_args, get_origin

from offline_envs.errors import SettingsError, SettingsTypeError, unknown_name

__all__ = ["JsonSettings"]


NUMBERS: Mapping[Any, type] = MappingProxyType({int: Integral, float: Real})
"""Types accepted for each kind of number, NumPy's included; an integer is accepted for a float."""


class JsonSettings:
    """Base of a frozen dataclass of settings: checks field types, and converts from and to JSON.

    Fields may be annotated with `bool`, `int`, `float`, `str`, a tuple of one of them, a mapping of JSON
    values, or a union of these. An integer given for a float becomes a float, so that equal settings are also
    equal in a file. A subclass that checks more calls `super().__post_init__()` first.

    Raises:
        SettingsTypeError: A value of the wrong type.
        SettingsError: A mapping with values that JSON cannot represent.
    """

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            object.__setattr__(self, field.name, _checked(field, getattr(self, field.name)))

    def to_json(self) -> dict[str, Any]:
        """Return every field by name, as JSON values."""
        return {
            name: list(v) if isinstance(v, tuple) else v
            for name, v in asdict(self).items()  # type: ignore[call-overload]
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build the settings from JSON values; fields that are left out keep their defaults.

        Raises:
            SettingsError: An unknown name, or a value of the wrong type or out of range.
        """
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for name in values:
            if name not in names:
                raise unknown_name(f"setting of {cls.__name__}", name, names)
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def _checked(field: Field[Any], value: Any) -> Any:
    """Check a value against its field's type, and convert numbers and mappings as JSON would."""
    if isinstance(value, Mapping) and _takes_mapping(field.type):
        return _from_json(field.name, value)
    if get_origin(field.type) is Mapping:
        raise SettingsTypeError(f"{field.name} must be settings by name, got {value!r}.")
    if not _is_of(field.type, value):
        kind = (
            field.type.__name__ if isinstance(field.type, type) and not get_args(field.type) else field.type
        )
        raise SettingsTypeError(f"{field.name} must be of type {kind}, got {value!r}.")
    return _as_number(field.type, value)


def _takes_mapping(kind: Any) -> bool:
    return get_origin(kind) is Mapping or any(get_origin(option) is Mapping for option in get_args(kind))


def _from_json(name: str, value: Mapping[str, Any]) -> Any:
    try:
        return json.loads(json.dumps(dict(value)))
    except TypeError as error:
        raise SettingsError(f"{name} must hold only what JSON can: {error}.") from error


def _is_of(kind: Any, value: Any) -> bool:
    """Whether a value is of an annotated type; a bool is not a number, an int is accepted for a float."""
    if get_origin(kind) is Mapping:
        return isinstance(value, Mapping)
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is_of(get_args(kind)[0], v) for v in value)
    if get_args(kind):
        return any(_is_of(option, value) for option in get_args(kind))
    if isinstance(value, bool):
        return kind is bool
    if kind in NUMBERS:
        return isinstance(value, NUMBERS[kind])
    return isinstance(value, kind)


def _as_number(kind: Any, value: Any) -> Any:
    """Convert NumPy's numbers to Python's, and an integer to a float where the type has no integers."""
    if isinstance(value, tuple) and get_origin(kind) is tuple:
        return tuple(_as_number(get_args(kind)[0], v) for v in value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) and int in (get_args(kind) or (kind,)) else float(value)
