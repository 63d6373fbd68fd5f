"""Writes records to partitions of a topic, each partition's in their order, in as few batches as can hold them.

Dead letters are written with it, and records that are sent back.
"""

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
    """Says that the topic takes no batch of so many records and bytes; `first` is the index of its first record."""

    def __init__(self, first: int, records: int, size_bytes: int) -> None:
        super().__init__(f"{size_bytes} bytes, {records} records from number {first} on")
        self.first = first
        self.records = records
        self.size_bytes = size_bytes


async def write_records(
    producer: AIOKafkaProducer, topic: str, by_partition: Mapping[int, Sequence[Content]]
) -> dict[int, KafkaError]:
    """Writes records to partitions of a topic, each partition's in their order; returns the errors by partition.

    Returns once the broker has acknowledged all records of the partitions without an error. Of a partition with an
    error some records may have been written. An error may be a BatchTooLargeError. `producer` is started.
    """
    results = await asyncio.gather(
        *(_write_in_order(producer, topic, partition, records) for partition, records in by_partition.items()),
        return_exceptions=True,  # so that no write is still under way when the caller learns of a failure
    )
    errors = {}
    for partition, result in zip(by_partition, results, strict=True):
        if isinstance(result, KafkaError):
            errors[partition] = result
        elif result is not None:
            raise result
    return errors


async def _write_in_order(producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Content]) -> None:
    # The batches are built here as producer.send() refuses a record with neither key nor value, and a record with
    # a header without a value. Both occur. The first record of a batch fits whatever its size.
    batch, first = create_batch(producer), 0
    for number, record in enumerate(records):
        if not _append(batch, record):
            await _write(producer, topic, partition, batch, first)
            batch, first = create_batch(producer), number
            _append(batch, record)
    if batch.record_count():
        await _write(producer, topic, partition, batch, first)


def _append(batch: Any, record: Content) -> bool:
    """Adds a record to a batch, and returns whether it still fitted."""
    key, value, headers = record
    # The batch sets the present time: by the record's own time the topic's retention could delete it at once.
    return batch.append(timestamp=None, key=key, value=value, headers=headers) is not None


async def _write(producer: AIOKafkaProducer, topic: str, partition: int, batch: Any, first: int) -> None:
    try:
        await (await producer.send_batch(batch, topic, partition=partition))
    except MessageSizeTooLargeError as error:
        raise BatchTooLargeError(first, batch.record_count(), batch.size()) from error
