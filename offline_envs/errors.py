"""The errors of this package: one family, so that one `except` catches what is ours."""

from collections.abc import Iterable


class OfflineEnvsError(Exception):
    """Any error that this package raises on purpose."""


class DatasetError(OfflineEnvsError, ValueError):
    """A dataset that cannot be used: what rule it breaks, where, and what would be valid."""


class SettingsError(OfflineEnvsError, ValueError):
    """A setting outside what is valid, or settings that contradict each other."""


class SettingsTypeError(SettingsError, TypeError):
    """A setting of another type than the one it must have, or one that does not exist."""


class CheckpointError(OfflineEnvsError):
    """A saved model or run that is truncated, altered, foreign or too new."""


def unknown_name(kind: str, name: object, valid: Iterable[str]) -> SettingsError:
    """Build the error for a name that is not in a table.

    Args:
        kind: What the name should have named, e.g. `"penalty"`.
        name: The name received.
        valid: Every name that would have worked.
    """
    return SettingsError(f"Unknown {kind} {name!r}. Valid: {', '.join(sorted(valid))}.")
