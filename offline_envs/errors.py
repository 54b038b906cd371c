"""The errors of this package: one base class, so that one `except` catches them all."""

from collections.abc import Iterable


class OfflineEnvsError(Exception):
    """Any error that this package raises on purpose."""


class DatasetError(OfflineEnvsError, ValueError):
    """A dataset that cannot be used; the message gives the rule that it breaks, where, and what is valid."""


class SettingsError(OfflineEnvsError, ValueError):
    """A setting outside what is valid, or settings that contradict each other."""


class SettingsTypeError(SettingsError, TypeError):
    """A setting of the wrong type, or one that does not exist."""


class CheckpointError(OfflineEnvsError):
    """A saved model or run that is truncated, altered, foreign or too new."""


class StorageError(OfflineEnvsError, OSError):
    """What the operating system does not let this package write: what, why, and the setting that moves it."""


def unknown_name(kind: str, name: object, valid: Iterable[str]) -> SettingsError:
    """Build the error for a name that is not in a table.

    Args:
        kind: Kind of thing that the name refers to, e.g. `"penalty"`.
        name: The name received.
        valid: All valid names.
    """
    return SettingsError(f"Unknown {kind} {name!r}. Valid: {', '.join(sorted(valid))}.")
