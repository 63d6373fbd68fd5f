"""Dead letters read back from their topic, sent back to where they came from, and marked there as sent back.

What is sent back carries a header that names the record that first became a dead letter. If it becomes one again, the
new letter is known by that header to be of the same event. A mark is a record of the dead-letter topic that names a
letter which was sent back; it lies in the letter's own partition, behind it, so retention never takes it first.
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
"""`TOPIC/PARTITION/OFFSET` of the record that first became a dead letter; the last header of what is sent back."""
SENT_BACK = "sent_back"
"""The reason that a mark has in place of a letter's."""

_OURS = (REASON_HEADER, DETAIL_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER, TIMESTAMP_HEADER)
_MARKS = (REASON_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER)
_POLL_MS = 1_000
_EMPTY_POLLS = 15


class Source(NamedTuple):
    """Where a record was read from that became a dead letter: this identifies the letter."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter as it lies in its topic: the record, why it is a letter, when it was written (Unix ms), its partition.

    `origin` is the source of the first letter of the same event: its own, unless it was sent back before.
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
        """Whether it holds a record that was sent back, and was refused again."""
        return self.origin != self.source

    def record(self, partitions: int) -> tuple[int, Content]:
        """Returns the partition that it came from, of so many, and the record, with the origin as its last header."""
        origin = "/".join(map(str, self.origin)).encode()
        content = self.key, self.value, [*self.headers, (REPLAYED_HEADER, origin)]
        return self.source.partition % partitions, content

    def mark(self) -> tuple[int, Content]:
        """Returns where the letter lies, and what says there that it was sent back."""
        texts = (SENT_BACK, *map(str, self.source))
        return self.lies_in, (None, None, [(n, text.encode()) for n, text in zip(_MARKS, texts, strict=True)])


def was_sent_back(headers: Sequence[Header]) -> bool:
    """Returns whether a record with these headers is a letter that was sent back."""
    return _origin(headers) is not None


def parse_letter(partition: int, record: Any) -> StoredLetter | None:
    """Returns the letter that a record of this partition of the dead-letter topic is; None if it is of another kind.

    Our headers are the last ones: the record's own may have the same names.
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
    """Returns the source of the letter that a mark says was sent back; None if the record is no mark."""
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

    Those that are written after `until_ms` may be missing. `consumer` is started and has no group. The end is where
    nothing more comes, at or behind the end that the broker says there is, which may be short of it. Raises KafkaError,
    of which UnreadableError names a partition, and the offset from which it cannot be read.
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
