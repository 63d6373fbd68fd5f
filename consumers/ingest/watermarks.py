"""Watermarks: the instant before which every published event of a partition has been read. Pure, no I/O.

Two kinds of evidence, and the later one counts:

- A fetch that brought nothing, from an offset which by the same response was the end (the high watermark), sent to a
  leader that can be trusted with it (consumers/kafka/leadership.py). Whatever was
  acknowledged before the fetch was sent lies before that offset, and counts once all before that offset does. A fetch
  that brought nothing from an offset before the end proves nothing: records lie beyond, which an open transaction
  holds back, or for which the response had no room.
- Behind, the timestamp of the last record applied: a partition is in the order of publication. Timestamps may be the
  producer's, so they are never believed beyond the wall clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from consumers.kafka.leadership import CaughtUp


@dataclass(slots=True)
class Freshness:
    """The evidence for one partition of one assignment."""

    watermark_ms: int = 0

    def caught_up(self, evidence: CaughtUp, position: int, now_ms: int) -> None:
        """Takes in a fetch that brought nothing, once all before the position is in the batch, or in one before it."""
        if evidence.offset <= position and evidence.asked_ms <= now_ms:
            self.watermark_ms = max(self.watermark_ms, evidence.asked_ms)

    def applied(self, record_timestamp_ms: int, now_ms: int) -> None:
        """Takes in the timestamp of the last record of a batch, once everything before it is in the batch too."""
        self.watermark_ms = max(self.watermark_ms, min(record_timestamp_ms, now_ms))


class Watermarks:
    """The evidence for all partitions of one assignment; `now_ms` is when that begins."""

    def __init__(self, partitions: Iterable[int], now_ms: int) -> None:
        self._freshness = {partition: Freshness() for partition in partitions}
        self._now_ms = now_ms

    def take_in(
        self,
        caught_up: Mapping[int, CaughtUp],
        positions: Mapping[int, int],
        timestamps_ms: Mapping[int, int],
        now_ms: int,
    ) -> None:
        """Takes in what is known with a batch, see Freshness; `timestamps_ms` has partitions that records came of."""
        if now_ms < self._now_ms:  # the clock was set back: what was told by it before may be too late
            self._freshness = {partition: Freshness() for partition in self._freshness}
        self._now_ms = now_ms
        for partition, freshness in self._freshness.items():
            if partition in timestamps_ms:
                freshness.applied(timestamps_ms[partition], now_ms)
            if partition in caught_up:
                freshness.caught_up(caught_up[partition], positions[partition], now_ms)

    def values_ms(self, most_ms: int) -> dict[int, int]:
        """The watermark of each partition, none later than that."""
        return {partition: min(each.watermark_ms, most_ms) for partition, each in self._freshness.items()}
