"""What a partition knows of producers: sequence numbers, open transactions and aborted ones. Pure, no I/O.

It follows from the batches of the log alone, so each replica has its own.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.simulation.kafka.batches import Batch, is_commit
from tests.simulation.kafka.codes import INVALID_PRODUCER_EPOCH, NONE, OUT_OF_ORDER_SEQUENCE

_REMEMBERED = 5
_SEQUENCES = 1 << 31


class Aborted(NamedTuple):
    """Says that a producer aborted a transaction that has offsets from `first` to `last`, the marker."""

    producer_id: int
    first: int
    last: int


@dataclass(slots=True)
class _Producer:
    epoch: int
    batches: deque[Batch] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class Producers:
    """Knows the producers of one replica of a partition."""

    def __init__(self) -> None:
        self._known: dict[int, _Producer] = {}
        self.open: dict[int, int] = {}
        """The first offset of each open transaction, by producer."""
        self.aborted: list[Aborted] = []
        self._ended: list[tuple[int, int]] = []  # first offset and marker of transactions that have ended of late

    def duplicate(self, batch: Batch) -> Batch | None:
        """Returns the batch of the log that the same producer has written with the same sequence numbers."""
        producer = self._known.get(batch.producer_id)
        if producer is None or producer.epoch != batch.producer_epoch or batch.first_sequence < 0:
            return None
        wanted = (batch.first_sequence, batch.last_sequence)
        return next((each for each in producer.batches if (each.first_sequence, each.last_sequence) == wanted), None)

    def check(self, batch: Batch) -> int:
        """Returns the code by which a batch that is no duplicate is refused, or NONE."""
        producer = self._known.get(batch.producer_id)
        if batch.producer_id < 0 or producer is None:
            return NONE
        if batch.producer_epoch < producer.epoch:
            return INVALID_PRODUCER_EPOCH
        if batch.is_control:
            return NONE
        if batch.producer_epoch > producer.epoch:
            return OUT_OF_ORDER_SEQUENCE if batch.first_sequence != 0 else NONE
        if producer.batches and batch.first_sequence != (producer.batches[-1].last_sequence + 1) % _SEQUENCES:
            return OUT_OF_ORDER_SEQUENCE
        return NONE

    def append(self, batch: Batch) -> None:
        """Notes a batch that the log has now."""
        if batch.producer_id < 0:
            return
        producer = self._known.get(batch.producer_id)
        if producer is None or producer.epoch != batch.producer_epoch:
            producer = self._known[batch.producer_id] = _Producer(batch.producer_epoch)
        if batch.is_control:
            self._end(batch)
            return
        if batch.first_sequence >= 0:
            producer.batches.append(batch)
        if batch.is_transactional:
            self.open.setdefault(batch.producer_id, batch.base)

    def _end(self, marker: Batch) -> None:
        first = self.open.pop(marker.producer_id, None)
        if first is None:
            return
        self._ended.append((first, marker.last))
        if not is_commit(marker):
            self.aborted.append(Aborted(marker.producer_id, first, marker.last))

    def stable_before(self, high_watermark: int) -> int:
        """Returns the last stable offset, where what comes before this high watermark is safe.

        A transaction whose marker is not safe yet counts as open.
        """
        if not self.open and not self._ended:
            return high_watermark
        if self._ended:
            self._ended = [each for each in self._ended if each[1] >= high_watermark]
        firsts = [*self.open.values(), *(first for first, _ in self._ended)]
        return min([high_watermark, *firsts])

    def aborted_from(self, offset: int) -> list[Aborted]:
        """Returns the aborted transactions that have an offset from this one on."""
        return [each for each in self.aborted if each.last >= offset]

    def forget_before(self, offset: int) -> None:
        """Drops the aborted transactions that are before an offset as a whole, which the log no longer has."""
        self.aborted = self.aborted_from(offset)
