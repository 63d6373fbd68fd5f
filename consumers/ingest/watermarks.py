"""Computes watermarks: the instant before which every published event of a partition has been read. Pure, no I/O.

There are two kinds of evidence, and the later instant counts:

- A fetch that brought nothing, from an offset that by the same response was the end (the high watermark). It must
  have been sent to a leader that can be trusted (consumers/kafka/leadership.py). All that was acknowledged before the
  fetch was sent lies before that offset, and the evidence counts once all before that offset has been read. A fetch
  that brought nothing from an offset before the end proves nothing: there are records beyond, which an open
  transaction holds back, or for which the response had no room.
- The timestamp of the last record applied, where the consumer is behind, as a partition is in the order of
  publication. Timestamps may be the producer's, so one that is later than the wall clock counts as the wall clock's.

Where records have been compacted away, a job may be missing whose later event is still to come. That event was there
when the records were missed, so it lies before the partition's end of that time. Until all before that end has been
read, timestamps prove nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from consumers.kafka.leadership import CaughtUp


@dataclass(slots=True)
class Freshness:
    """Holds the watermark of one partition of one assignment, as far as there is evidence for it."""

    watermark_ms: int = 0
    _lacks_until: int = 0  # before this offset lies what replaces records that are missing

    def caught_up(self, evidence: CaughtUp, position: int, now_ms: int) -> None:
        """Notes a fetch that brought nothing, if all before its offset is in the batch or in one before it."""
        if evidence.offset <= position and evidence.asked_ms <= now_ms:
            self.watermark_ms = max(self.watermark_ms, evidence.asked_ms)

    def applied(self, position: int, record_timestamp_ms: int, now_ms: int, end: int = 0) -> None:
        """Notes the timestamp of the last record of a batch, before `position`; all before that is in the batch too.

        If records are missing, `end` is where the partition ended when the batch was fetched, or later.
        """
        self._lacks_until = max(self._lacks_until, end)
        if position >= self._lacks_until:
            self.watermark_ms = max(self.watermark_ms, min(record_timestamp_ms, now_ms))


class Watermarks:
    """Holds the watermarks of all partitions of one assignment, which begins at `now_ms`."""

    def __init__(self, partitions: Iterable[int], now_ms: int) -> None:
        self._freshness = {partition: Freshness() for partition in partitions}
        self._now_ms = now_ms

    def take_in(
        self,
        caught_up: Mapping[int, CaughtUp],
        positions: Mapping[int, int],
        timestamps_ms: Mapping[int, int],
        ends: Mapping[int, int],
        now_ms: int,
    ) -> None:
        """Notes the evidence that a batch brings, see Freshness.

        `timestamps_ms` has the partitions with records, `ends` those of them of which records are missing.
        """
        if now_ms < self._now_ms:  # the clock was set back, so watermarks by it may be too late
            for freshness in self._freshness.values():
                freshness.watermark_ms = 0
        self._now_ms = now_ms
        for partition, freshness in self._freshness.items():
            if partition in timestamps_ms:
                freshness.applied(positions[partition], timestamps_ms[partition], now_ms, ends.get(partition, 0))
            if partition in caught_up:
                freshness.caught_up(caught_up[partition], positions[partition], now_ms)

    def values_ms(self, most_ms: int) -> dict[int, int]:
        """Returns the watermark of each partition, but none later than `most_ms`."""
        return {partition: min(each.watermark_ms, most_ms) for partition, each in self._freshness.items()}
