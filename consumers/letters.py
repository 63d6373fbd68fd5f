"""Dead letters read back from their topic, and the records in them sent back to where they came from."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from consumers.aiokafka_private import create_batch
from consumers.dead_letters import (
    DETAIL_HEADER,
    OFFSET_HEADER,
    PARTITION_HEADER,
    REASON_HEADER,
    TIMESTAMP_HEADER,
    TOPIC_HEADER,
    Header,
)

_OURS = (REASON_HEADER, DETAIL_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER, TIMESTAMP_HEADER)
_POLL_MS = 1_000
_EMPTY_POLLS = 15


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter read back: the record that it holds, why it is one, and when it was written (Unix ms)."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    reason: str
    topic: str
    partition: int
    written_ms: int


def parse_letter(record: Any) -> Letter | None:
    """The letter that a record of the dead-letter topic is; None if it is of another kind.

    Our headers are the last ones: the record's own may have the same names.
    """
    headers = list(record.headers)
    own, ours = headers[: -len(_OURS)], headers[-len(_OURS) :]
    if [name for name, _ in ours] != list(_OURS):
        return None
    texts = {name: (text or b"").decode(errors="replace") for name, text in ours}
    if not texts[PARTITION_HEADER].isdecimal():
        return None
    partition = int(texts[PARTITION_HEADER])
    return Letter(record.key, record.value, own, texts[REASON_HEADER], texts[TOPIC_HEADER], partition, record.timestamp)


async def read_to_end(
    consumer: AIOKafkaConsumer, tps: Sequence[TopicPartition], until_ms: int
) -> AsyncIterator[Sequence[Any]]:
    """All records of these partitions, as they are polled; those that are written after `until_ms` may be missing.

    `consumer` is started and has no group. The end is where nothing more comes, at or behind the end that the broker
    says there is, which may be short of it. Raises KafkaError.
    """
    if not tps:
        return
    consumer.assign(tps)
    await consumer.seek_to_beginning(*tps)
    ends = await consumer.end_offsets(list(tps))
    empty_polls = 0
    while empty_polls < _EMPTY_POLLS:
        polled = await consumer.getmany(timeout_ms=_POLL_MS)
        records = [record for some in polled.values() for record in some]
        yield records
        empty_polls = 0 if records else empty_polls + 1
        is_late = all(record.timestamp > until_ms for record in records)  # also if there are none
        if is_late and all([await consumer.position(tp) >= ends[tp] for tp in tps]):
            return
    raise KafkaTimeoutError(f"{tps[0].topic} gives no more records, and does not end there")


class LetterSender:
    """Writes the records of letters to a topic, each to the partition that it came from, with a started producer."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partitions = partitions

    async def send(self, letters: Sequence[Letter]) -> None:
        """Returns once the broker has acknowledged all. Raises KafkaError; then some may have been written."""
        by_partition: defaultdict[int, list[Letter]] = defaultdict(list)
        for letter in letters:
            by_partition[letter.partition % self._partitions].append(letter)
        for partition, some in by_partition.items():
            batch = create_batch(self._producer)
            for letter in some:
                if not _append(batch, letter):
                    await self._write(batch, partition)
                    batch = create_batch(self._producer)
                    _append(batch, letter)
            await self._write(batch, partition)

    async def _write(self, batch: Any, partition: int) -> None:
        acknowledged = await self._producer.send_batch(batch, self._topic, partition=partition)
        await acknowledged


def _append(batch: Any, letter: Letter) -> bool:
    """Whether it still went into the batch; producer.send() would refuse a header without a value."""
    return batch.append(timestamp=None, key=letter.key, value=letter.value, headers=letter.headers) is not None
