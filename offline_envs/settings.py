"""Settings that are checked by their annotations: of dataclasses, and of functions and constructors."""

import functools
import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from dataclasses import field as declared
from numbers import Integral, Real
from types import MappingProxyType, UnionType
from typing import Any, ParamSpec, Self, TypeVar, Union, get_args, get_origin

import numpy as np
from typing_extensions import get_protocol_members, is_protocol

from offline_envs.errors import SettingsError, SettingsTypeError, unknown_name

__all__ = [
    "LARGEST_GLOBAL_SEED",
    "LARGEST_SEED",
    "JsonSettings",
    "TypedSettings",
    "added_later",
    "check_arguments",
    "check_seed",
    "checked",
    "follows",
]

NUMBERS: Mapping[Any, type] = MappingProxyType({int: Integral, float: Real})
"""Types accepted for each kind of number, NumPy's included; an integer is accepted for a float."""

LARGEST_SEED = 2**63 - 1
"""Largest seed that NumPy's and torch's generators both take."""

LARGEST_GLOBAL_SEED = 2**32 - 1
"""Largest seed of NumPy's global generator, which Stable-Baselines3 seeds."""

_ADDED_LATER = "added later"

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def added_later(default: Any) -> Any:
    """Declare a field of `JsonSettings` that earlier versions lacked, with the default that means no change.

    `to_json` leaves it out at its default, so that files and caches of earlier versions remain valid.
    """
    return declared(default=default, metadata={_ADDED_LATER: True})


class TypedSettings:
    """Base of a frozen dataclass whose values are checked by the annotations of its fields.

    NumPy's numbers become Python's. An integer given for a float becomes a float, so that equal settings are
    also equal in a file; a bool is not a number. A subclass that checks more calls `super().__post_init__()`
    first.

    Raises:
        SettingsTypeError: A value of the wrong type.
    """

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = checked(field.name, field.type, getattr(self, field.name))
            object.__setattr__(self, field.name, value)


class JsonSettings(TypedSettings):
    """Base of a frozen dataclass of settings that JSON can hold.

    Fields may be annotated with `bool`, `int`, `float`, `str`, a tuple of one of them, a mapping of JSON
    values, or a union of these. Numbers are finite.

    Raises:
        SettingsTypeError: A value of the wrong type.
        SettingsError: A number that is not finite, or a mapping with values that JSON cannot represent.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Mapping):
                object.__setattr__(self, field.name, _as_json(field.name, value))
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, float) and not math.isfinite(number):
                    raise SettingsError(f"{field.name} must be finite, got {value!r}.")

    def to_json(self) -> dict[str, Any]:
        """Return every field by name, as JSON values; without those `added_later` that have their default."""
        left_out = {
            field.name
            for field in fields(self)  # type: ignore[arg-type]
            if _ADDED_LATER in field.metadata and getattr(self, field.name) == field.default
        }
        return {
            name: list(v) if isinstance(v, tuple) else v
            for name, v in asdict(self).items()  # type: ignore[call-overload]
            if name not in left_out
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build the settings from JSON values; fields that are left out keep their defaults.

        Raises:
            SettingsError: An unknown name, a value of the wrong type or out of range, or no value for a field
                that has no default.
        """
        if not isinstance(values, Mapping):
            raise SettingsTypeError(f"{cls.__name__} must be given as settings by name, got {values!r}.")
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for name in values:
            if name not in names:
                raise unknown_name(f"setting of {cls.__name__}", name, names)
        missing = [name for name in _required(cls) if name not in values]
        if missing:
            given = ", ".join(values) or "no settings"
            raise SettingsError(f"{cls.__name__} must be given {', '.join(missing)}, got {given}.")
        return cls(**{name: tuple(v) if _is_list(v) else v for name, v in values.items()})


def check_arguments(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let a function or constructor check its arguments by their annotations, as `TypedSettings` does.

    Raises:
        SettingsTypeError: In a call, an argument of the wrong type.
    """
    signature = inspect.signature(function)
    kinds = {
        p.name: p.annotation
        for p in signature.parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.annotation is not p.empty
    }

    @functools.wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python's own words name the function
        for name in given.arguments.keys() & kinds.keys():
            given.arguments[name] = checked(name, kinds[name], given.arguments[name])
        return function(*given.args, **given.kwargs)

    return call


def checked(name: str, kind: Any, value: Any) -> Any:
    """Check a value against an annotation, and convert numbers to Python's.

    Args:
        name: Name of the setting, for the message.
        kind: The annotation. What cannot be checked, such as a plain protocol, takes every value.
        value: The value.

    Raises:
        SettingsTypeError: The value is of another type.
    """
    if not _is_of(kind, value):
        if get_origin(kind) is Mapping:
            raise SettingsTypeError(f"{name} must be settings by name, got {value!r}.")
        raise SettingsTypeError(f"{name} must be of type {_described(kind)}, got {value!r}.")
    return _as_python(kind, value)


def check_seed(seed: int, largest: int = LARGEST_SEED) -> None:
    """Refuse a seed that a generator does not take.

    Raises:
        SettingsError: It is negative or too large.
    """
    if not 0 <= seed <= largest:
        raise SettingsError(f"seed must lie in 0..{largest}, got {seed}.")


def _is_of(kind: Any, value: Any) -> bool:
    """Whether a value is of an annotated type; a bool is not a number, an int is accepted for a float."""
    origin, options = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_is_of(option, value) for option in options)
    if origin is tuple:
        return isinstance(value, tuple) and all(_is_of(options[0], v) for v in value)
    if origin is Callable:
        return callable(value)
    if isinstance(value, bool | np.bool_):
        return kind is bool or (kind not in NUMBERS and _is_instance(value, origin or kind))
    return isinstance(value, NUMBERS[kind]) if kind in NUMBERS else _is_instance(value, origin or kind)


def _is_instance(value: Any, kind: Any) -> bool:
    try:
        found = isinstance(value, type(None) if kind is None else kind)
    except TypeError:  # `Any`, a name in quotes, a protocol that is for type checkers only
        return True
    return found or (is_protocol(kind) and follows(value, kind))


def follows(value: object, protocol: Any) -> bool:
    """Whether an object has every member of a protocol, also those that it gives by `__getattr__`.

    `isinstance` does not find these since Python 3.12. Buffers and parameters of a torch module are such.
    """
    return all(hasattr(value, name) for name in get_protocol_members(protocol))


def _as_python(kind: Any, value: Any) -> Any:
    """Convert NumPy's numbers to Python's, and an integer to a float where the type has no integers."""
    if isinstance(value, tuple) and get_origin(kind) is tuple:
        return tuple(_as_python(get_args(kind)[0], v) for v in value)
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if isinstance(value, bool | np.bool_):
        return bool(value) if bool in options else value
    if isinstance(value, Integral) and int in options:
        return int(value)
    return float(value) if isinstance(value, Real) and float in options else value


def _required(kind: type) -> list[str]:
    """Names of the fields of a dataclass that have no default."""
    return [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]


def _as_json(name: str, value: Mapping[str, Any]) -> Any:
    try:
        return json.loads(json.dumps(dict(value), default=_json_value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{name} must hold only what JSON can: {error}.") from error


def _json_value(value: Any) -> Any:
    """What `json` does not know but holds nothing else: NumPy's numbers, other mappings and sequences."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    if _is_list(value):
        return list(value)
    raise TypeError(f"{value!r} is of type {type(value).__name__}")


def _is_list(value: Any) -> bool:
    """Whether a value is a list, or acts as one: OmegaConf's configurations hold lists of its own."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | tuple)


def _described(kind: Any) -> str:
    """An annotation as a reader would write it, without the modules of its names."""
    origin, options = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " | ".join(_described(option) for option in options)
    if origin is Callable:
        return "function"
    if kind in (None, type(None)):
        return "None"
    if kind is ... or not hasattr(kind, "__name__"):
        return "..." if kind is ... else str(kind)
    inner = f"[{', '.join(_described(option) for option in options)}]" if origin in (tuple, Mapping) else ""
    return f"{kind.__name__}{inner}"
