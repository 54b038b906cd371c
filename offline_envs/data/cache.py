"""The datasets loaded last, so that the environments of one process share their memory."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock

from offline_envs.data.transitions import Transitions


class RecentlyLoaded:
    """Keeps the `size` datasets used last; safe to use from several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Hashable, Transitions] = OrderedDict()
        self._lock = RLock()

    def get(self, key: Hashable, load: Callable[[], Transitions]) -> Transitions:
        """Return the entry of `key`, after calling `load` if there is none.

        The lock is held while loading, so that two threads do not read the same file twice. `load` may itself
        get another entry.
        """
        with self._lock:
            if key not in self._entries:
                self._entries[key] = load()
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
            return self._entries[key]
