"""The log of one replica: batches in the order of their offsets, with holes where records are gone. Pure, no I/O."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from tests.simulation.kafka.batches import LENGTH_AT, LENGTH_FROM, Batch

_LEAST_LENGTH = 14  # that a broker goes on with
_INDEX_BYTES = 4_096  # index.interval.bytes


class DamagedLogError(Exception):
    """Says that a log cannot be read from an offset on."""


class Log:
    """Holds the batches of one replica of a partition.

    `start` is the first offset that may be read, `end` the offset that the next record gets.
    """

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.end = start
        self.batches: list[Batch] = []
        self._lasts: list[int] = []
        self._is_damaged = False

    def append(self, batch: Batch) -> None:
        """Adds a batch that has been placed at the end, or behind it."""
        assert batch.base >= self.end
        self.batches.append(batch)
        self._is_damaged |= batch.is_damaged
        self._lasts.append(batch.last)
        self.end = batch.last + 1

    def index(self, offset: int) -> int:
        """Returns the index of the first batch that has this offset or a later one."""
        return bisect_left(self._lasts, offset)

    def truncate(self, index: int) -> None:
        """Drops the batches from an index on."""
        if index < len(self.batches):
            self.end = max(self.batches[index].base, self.start)
            del self.batches[index:], self._lasts[index:]

    def drop_before(self, offset: int) -> None:
        """Moves the start to an offset, and drops batches that are before it as a whole."""
        if offset > self.start:
            self.start = offset
            self.end = max(self.end, offset)
            gone = self.index(offset)
            del self.batches[:gone], self._lasts[:gone]

    def replace(self, batches: Sequence[Batch]) -> None:
        """Takes other batches in place of its own, which end at the same offset or before it."""
        self.batches = list(batches)
        self._lasts = [batch.last for batch in batches]
        self._is_damaged = any(batch.is_damaged for batch in batches)

    def read(self, offset: int, before: int, most_bytes: int, is_first: bool) -> bytes:
        """Returns bytes of batches from the one with this offset on, of those that end at `before` at most.

        As with Kafka they are cut off after `most_bytes` within a batch, but that of the first batch nothing comes if
        it does not fit, unless it is the first of the response (`is_first`): then it comes whole.

        Raises DamagedLogError.
        """
        at = self.index(offset)
        if at == len(self.batches) or self._lasts[at] >= before:
            return b""
        if self._is_damaged and not self._finds(at):
            return b""
        size = len(self.batches[at].data)
        if size >= most_bytes:
            return self.batches[at].data if is_first or size == most_bytes else b""
        parts, size = [], 0
        for batch in self.batches[at : bisect_right(self._lasts, before - 1)]:
            parts.append(batch.data)
            size += len(batch.data)
            if size >= most_bytes:
                break
        return b"".join(parts)[:most_bytes]

    def _finds(self, at: int) -> bool:
        """Returns whether a broker finds a batch: it reads lengths from the last batch on that its index has.

        It takes a length that is too long for the end of the log.
        """
        for number in range(self._indexed(at), at + 1):
            data = self.batches[number].data
            length = int.from_bytes(data[LENGTH_AT:LENGTH_FROM], signed=True)
            if length < _LEAST_LENGTH:
                raise DamagedLogError(
                    f"the batch at offset {self.batches[number].base} says that it has {length} bytes"
                )
            if LENGTH_FROM + length > sum(len(batch.data) for batch in self.batches[number:]):
                return False
        return True

    def _indexed(self, at: int) -> int:
        """Returns the last batch up to this one that the index of a broker has."""
        indexed = unindexed_bytes = 0
        for number, batch in enumerate(self.batches[: at + 1]):
            if unindexed_bytes > _INDEX_BYTES:
                indexed, unindexed_bytes = number, 0
            unindexed_bytes += len(batch.data)
        return indexed
