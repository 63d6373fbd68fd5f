"""Watermarks: the instant before which every published event of a partition has been read. Pure, no I/O.

Two kinds of evidence, and the later one counts:

- A fetch that brought nothing. aiokafka sends a fetch only after the response to the last one, so a response at Q
  without records, after a response at P, was asked for at P or later: whatever was published before P has been read.
- Behind, the timestamp of the last record applied: a partition is in the order of publication. Timestamps may be the
  producer's, so they are never believed beyond the wall clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Freshness:
    """The evidence for one partition of one assignment."""

    watermark_ms: int = 0
    _response_ms: int | None = None
    _records_since: bool = True

    def polled(self, response_ms: int | None, has_records: bool, drained: bool) -> None:
        """Takes in one poll.

        `response_ms` is the time of the partition's last fetch response as known *before* the poll, `has_records`
        whether the poll handed out records of the partition, `drained` whether it handed out all there were.
        """
        if has_records:
            self._records_since = True
        if not drained or response_ms is None or response_ms == self._response_ms:
            return
        if self._response_ms is not None and not self._records_since:
            self.watermark_ms = max(self.watermark_ms, self._response_ms)
        self._response_ms = response_ms
        self._records_since = has_records

    def applied(self, record_timestamp_ms: int, now_ms: int) -> None:
        """Takes in the timestamp of the last record of a batch, once everything before it is in the batch too."""
        self.watermark_ms = max(self.watermark_ms, min(record_timestamp_ms, now_ms))


class Watermarks:
    """The evidence for all partitions of one assignment."""

    def __init__(self, partitions: Iterable[int]) -> None:
        self._freshness = {partition: Freshness() for partition in partitions}

    def polled(
        self, responses_ms: Mapping[int, int | None], timestamps_ms: Mapping[int, int], drained: bool, now_ms: int
    ) -> None:
        """Takes in one poll: see Freshness; `timestamps_ms` has those partitions that records came of."""
        for partition, freshness in self._freshness.items():
            freshness.polled(responses_ms[partition], partition in timestamps_ms, drained)
            if partition in timestamps_ms:
                freshness.applied(timestamps_ms[partition], now_ms)

    def values_ms(self, most_ms: int) -> dict[int, int]:
        """The watermark of each partition, none later than that."""
        return {partition: min(each.watermark_ms, most_ms) for partition, each in self._freshness.items()}
