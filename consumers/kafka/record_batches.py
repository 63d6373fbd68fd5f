"""Records written to partitions of a topic, each partition's in their order, in as few batches as hold them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from consumers.kafka.aiokafka_private import create_batch

Header = tuple[str, bytes | None]
"""A name that is not UTF-8 is a HeaderName, which is written as the bytes that it was read from."""
Content = tuple[bytes | None, bytes | None, Sequence[Header]]
"""Key, value and headers."""


class BatchTooLargeError(MessageSizeTooLargeError):  # type: ignore[misc]  # aiokafka has no types
    """The topic takes no batch of so many records and bytes; `first` is the index of its first record."""

    def __init__(self, first: int, records: int, size_bytes: int) -> None:
        super().__init__(f"{size_bytes} bytes, {records} records from number {first} on")
        self.first = first
        self.records = records
        self.size_bytes = size_bytes


async def write_records(
    producer: AIOKafkaProducer, topic: str, by_partition: Mapping[int, Sequence[Content]]
) -> dict[int, KafkaError]:
    """Writes records to partitions of a topic, each partition's in their order; returns by partition what went wrong.

    Returns once the broker has acknowledged all records of the partitions that are not returned. Of those that are,
    some records may have been written; an error may be a BatchTooLargeError. `producer` is started.
    """
    results = await asyncio.gather(
        *(_write_in_order(producer, topic, partition, records) for partition, records in by_partition.items()),
        return_exceptions=True,  # so that nothing is still under way when the caller hears of a failure
    )
    errors = {}
    for partition, result in zip(by_partition, results, strict=True):
        if isinstance(result, KafkaError):
            errors[partition] = result
        elif result is not None:
            raise result
    return errors


async def _write_in_order(producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Content]) -> None:
    # Batches of our own making: producer.send() refuses a record with neither key nor value, and one with
    # a header without a value, and both occur. The first record of a batch fits whatever its size.
    batch, first = create_batch(producer), 0
    for number, record in enumerate(records):
        if not _append(batch, record):
            await _write(producer, topic, partition, batch, first)
            batch, first = create_batch(producer), number
            _append(batch, record)
    if batch.record_count():
        await _write(producer, topic, partition, batch, first)


def _append(batch: Any, record: Content) -> bool:
    """Whether the record still went into the batch."""
    key, value, headers = record
    # Stamped with the present: by its own time the topic's retention could delete a late record at once.
    return batch.append(timestamp=None, key=key, value=value, headers=headers) is not None


async def _write(producer: AIOKafkaProducer, topic: str, partition: int, batch: Any, first: int) -> None:
    try:
        await (await producer.send_batch(batch, topic, partition=partition))
    except MessageSizeTooLargeError as error:
        raise BatchTooLargeError(first, batch.record_count(), batch.size()) from error
