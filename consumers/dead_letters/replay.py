"""Reads dead letters back from their topic, for sending them back to where they came from, and describes marks.

A record that is sent back carries a header that names the record that first became a dead letter. If the record
becomes a dead letter once more, that header tells that the new letter is of the same event. A mark is a record of the
dead-letter topic that names a letter which was sent back. It lies in the letter's own partition, behind the letter,
so retention never takes the mark first.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from consumers.dead_letters.letter import (
    DETAIL_HEADER,
    OFFSET_HEADER,
    PARTITION_HEADER,
    REASON_HEADER,
    TIMESTAMP_HEADER,
    TOPIC_HEADER,
)
from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.record_batches import Content, Header

REPLAYED_HEADER = "replayed-dead-letter"
"""The last header of a record that is sent back: `TOPIC/PARTITION/OFFSET` of the record that first became a letter."""
SENT_BACK = "sent_back"
"""The reason that a mark has in place of a letter's."""

_OURS = (REASON_HEADER, DETAIL_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER, TIMESTAMP_HEADER)
_MARKS = (REASON_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER)
_POLL_MS = 1_000
_EMPTY_POLLS = 15


class Source(NamedTuple):
    """Says where a record was read from that became a dead letter, and so identifies the letter."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """Holds a letter as it lies in its topic: the record, the reason, when it was written (Unix ms), and its partition.

    `origin` is the source of the first letter of the same event: the letter's own, unless it was sent back before.
    """

    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    reason: str
    source: Source
    origin: Source
    written_ms: int
    lies_in: int

    @property
    def was_sent_before(self) -> bool:
        """Returns whether the letter's record was sent back before, and was refused again."""
        return self.origin != self.source

    def record(self, partitions: int) -> tuple[int, Content]:
        """Returns the record with the origin as its last header, and the partition that it goes back to, of so many."""
        origin = "/".join(map(str, self.origin)).encode()
        content = self.key, self.value, [*self.headers, (REPLAYED_HEADER, origin)]
        return self.source.partition % partitions, content

    def mark(self) -> tuple[int, Content]:
        """Returns the mark that says that the letter was sent back, and the partition in which the letter lies."""
        texts = (SENT_BACK, *map(str, self.source))
        return self.lies_in, (None, None, [(n, text.encode()) for n, text in zip(_MARKS, texts, strict=True)])


def was_sent_back(headers: Sequence[Header]) -> bool:
    """Returns whether a record with these headers was sent back before."""
    return _origin(headers) is not None


def parse_letter(partition: int, record: Any) -> StoredLetter | None:
    """Returns the letter that a record of this partition of the dead-letter topic is, or None if it is no letter.

    The letter's headers are the last ones, as the record's own headers may have the same names.
    """
    headers = list(record.headers)
    own, ours = headers[: -len(_OURS)], headers[-len(_OURS) :]
    if [name for name, _ in ours] != list(_OURS):
        return None
    texts = _texts(ours)
    source = _source(texts[TOPIC_HEADER], texts[PARTITION_HEADER], texts[OFFSET_HEADER])
    if source is None:
        return None
    origin = _origin(own)
    if origin is not None:
        own = own[:-1]
    reason = texts[REASON_HEADER]
    return StoredLetter(record.key, record.value, own, reason, source, origin or source, record.timestamp, partition)


def parse_mark(record: Any) -> Source | None:
    """Returns the source of the letter that a mark names, or None if the record is no mark."""
    headers = list(record.headers)
    if [name for name, _ in headers] != list(_MARKS):
        return None
    texts = _texts(headers)
    if texts[REASON_HEADER] != SENT_BACK:
        return None
    return _source(texts[TOPIC_HEADER], texts[PARTITION_HEADER], texts[OFFSET_HEADER])


def _texts(headers: Iterable[Header]) -> dict[str, str]:
    return {name: (text or b"").decode(errors="replace") for name, text in headers}


def _source(topic: str, partition: str, offset: str) -> Source | None:
    is_number = all(text.isascii() and text.isdecimal() and len(text) < 20 for text in (partition, offset))
    return Source(topic, int(partition), int(offset)) if is_number else None


def _origin(headers: Sequence[Header]) -> Source | None:
    if not headers or headers[-1][0] != REPLAYED_HEADER:
        return None
    parts = (headers[-1][1] or b"").decode(errors="replace").split("/")
    return _source(*parts) if len(parts) == len(Source._fields) else None


async def read_to_end(
    consumer: Reader, tps: Sequence[TopicPartition], until_ms: int
) -> AsyncIterator[Sequence[tuple[int, Any]]]:
    """Yields all records of these partitions, each with its partition, as they are polled.

    Records that are written after `until_ms` may be missing. `consumer` is started and has no group. Reading ends where
    no more records come, at or after the end that the broker gives, which may be before the real one. Raises
    KafkaError; UnreadableError names a partition, and the offset from which it cannot be read.
    """
    if not tps:
        return
    consumer.assign(tps)
    await consumer.seek_to_beginning(*tps)
    ends = await consumer.end_offsets(list(tps))
    empty_polls = 0
    while empty_polls < _EMPTY_POLLS:
        polled = await consumer.getmany(timeout_ms=_POLL_MS)
        records = [(tp.partition, record) for tp, some in polled.items() for record in some]
        consumer.check_readable()
        yield records
        empty_polls = 0 if records else empty_polls + 1
        is_late = all(record.timestamp > until_ms for _, record in records)  # also if there are none
        if is_late and all([await consumer.position(tp) >= ends[tp] for tp in tps]):
            return
    raise KafkaTimeoutError(f"{tps[0].topic} gives no more records, and does not end there")
