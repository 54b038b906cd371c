"""`Registry`: entries by name, which other packages can extend."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from offline_envs.errors import SettingsError, unknown_name

__all__ = ["Registry"]

Entry = TypeVar("Entry")


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries by name. A user's package adds its own with `register`.

    Args:
        kind: What an entry is, for messages, e.g. `"penalty"`.
        entries: The entries of this package.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, name: object) -> Entry:
        """Return the entry of that name.

        Raises:
            SettingsError: No entry has the name; the message lists the valid ones.
        """
        if not isinstance(name, str) or name not in self._entries:
            raise unknown_name(self.kind, name, self._entries)
        return self._entries[name]

    def register(self, name: str, entry: Entry) -> Entry:
        """Add an entry, and return it.

        Raises:
            SettingsError: The name is taken by another entry.
        """
        if self._entries.setdefault(name, entry) != entry:
            raise SettingsError(f"The {self.kind} {name!r} exists already. Choose another name.")
        return entry
