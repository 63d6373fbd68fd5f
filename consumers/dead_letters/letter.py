"""Describes a dead letter: a whole record that is no event or was refused, with the reason and where it came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from consumers.kafka.record_batches import Content, Header
from service.events.decoding import Reason

REASON_HEADER = "dead-letter-reason"
"""The header with the reason, one of `service.events.decoding.Reason`."""
DETAIL_HEADER = "dead-letter-detail"
"""The header that says, for people, which field is wrong, and how."""
TOPIC_HEADER = "dead-letter-topic"
"""The header with the topic that the record was read from."""
PARTITION_HEADER = "dead-letter-partition"
"""The header with the record's partition in that topic, a decimal number."""
OFFSET_HEADER = "dead-letter-offset"
"""The header with the record's offset in that partition, a decimal number."""
TIMESTAMP_HEADER = "dead-letter-timestamp"
"""The header with the record's timestamp, Unix milliseconds, a decimal number."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Holds a record that is no event or was refused, as it was read, and the reason."""

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
        """Returns the record's key, value and headers, unchanged and in order, then the letter's headers (UTF-8)."""
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
    """Returns the letter of a record as aiokafka returns records."""
    return DeadLetter(
        topic=tp.topic,
        partition=tp.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp or 0,  # records of the oldest format have no timestamp
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        reason=reason,
        detail=detail,
    )
