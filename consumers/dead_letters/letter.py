"""A dead letter: a record that is no event, whole, with the reason and where it came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from consumers.kafka.record_batches import Content, Header
from service.events.decoding import Reason

REASON_HEADER = "dead-letter-reason"
"""One of `service.events.decoding.Reason`."""
DETAIL_HEADER = "dead-letter-detail"
"""Which field is wrong, and how, for people."""
TOPIC_HEADER = "dead-letter-topic"
"""The topic that the record was read from."""
PARTITION_HEADER = "dead-letter-partition"
"""The partition that it was read from, a decimal number."""
OFFSET_HEADER = "dead-letter-offset"
"""Its offset there, a decimal number."""
TIMESTAMP_HEADER = "dead-letter-timestamp"
"""Its timestamp there, Unix milliseconds, a decimal number."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is no event, as it was read, and why it is none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    reason: Reason
    detail: str

    def content(self) -> Content:
        """Returns key and value of the record, its own headers, unchanged and in order, then ours (UTF-8 text)."""
        ours = {
            REASON_HEADER: self.reason,
            DETAIL_HEADER: self.detail,
            TOPIC_HEADER: self.topic,
            PARTITION_HEADER: str(self.partition),
            OFFSET_HEADER: str(self.offset),
            TIMESTAMP_HEADER: str(self.timestamp_ms),
        }
        return self.key, self.value, [*self.headers, *((name, text.encode()) for name, text in ours.items())]


def dead_letter(tp: TopicPartition, record: Any, reason: Reason, detail: str) -> DeadLetter:
    """Returns the letter of a record as aiokafka gives it."""
    return DeadLetter(
        topic=tp.topic,
        partition=tp.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp or 0,  # the oldest format has none
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        reason=reason,
        detail=detail,
    )
