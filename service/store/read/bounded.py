"""Remembers what was asked for last, up to so many bytes. Pure, no I/O."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_MOST = 8  # one value takes at most one part in so many: it must not push out all others


class Bounded(Generic[Key, Value]):
    """Keeps the values that were asked for last. Whoever puts a value says how many bytes it takes, key and all."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        """Returns the value of a key, or None, and makes it the one asked for last."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def forget(self, key: Key) -> None:
        """Forgets the value of a key, if there is one."""
        before = self._values.pop(key, None)
        if before is not None:
            self.size_bytes -= before[1]

    def put(self, key: Key, value: Value, size_bytes: int) -> None:
        """Keeps a value unless it is too large; forgets the values not asked for longest to make room."""
        self.forget(key)
        if size_bytes > self._max_bytes // _MOST:
            return
        self._values[key] = value, size_bytes
        self.size_bytes += size_bytes
        while self.size_bytes > self._max_bytes:
            self.size_bytes -= self._values.popitem(last=False)[1][1]
