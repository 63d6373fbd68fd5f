"""Collects polled records into a batch: their events by stripe, their dead letters, and the offsets that they reach.

Reading and Rebuild poll with it; the Applier writes the batch.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.dead_letters.letter import DeadLetter
from consumers.ingest.folding import RecordFold
from consumers.ingest.phases import Timed, untimed
from service.store.write.batch import ProjectBatch

Portion = tuple[TopicPartition, Sequence[Any]]
"""Some records of a partition, few enough to be decoded within some milliseconds."""

# Unpacking and decoding so many records holds the event loop for a few milliseconds. In between heartbeats are sent,
# and the write of the batch before goes on.
POLL_RECORDS = 2_000
_DECODE_RECORDS = 500
_DECODE_BYTES = 256 * 1024
_MOST_BYTES = 32 * 1024 * 1024  # two batches are in memory: one is written while the next is read


class Batch:
    """Collects the records that are polled in one turn.

    Positions are the offsets after each partition's last record, and timestamps are those of that record. The records
    stay in `portions` until the batch is written, as refused events are looked for among them.
    """

    def __init__(self, timed: Timed = untimed) -> None:
        self.timed = timed
        self._fold = RecordFold()
        self.portions: list[Portion] = []
        self.stripes: dict[int, list[ProjectBatch]] = {}
        self.positions: dict[int, int] = {}
        self.timestamps_ms: dict[int, int] = {}
        self.records = 0
        self.size_bytes = 0
        self.drained = False  # whether all fetched records are in the batch

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """Returns the dead letters of records that are no events."""
        return self._fold.dead_letters

    async def add(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> int:
        """Decodes and folds the records that `getmany` returned, and returns their number; lets other tasks run."""
        count = 0
        for tp, records in polled.items():
            for some in self._split(records):
                with self.timed("decode"):
                    self._fold.add(tp, some)
                self.portions.append((tp, some))
                await asyncio.sleep(0)
            count += len(records)
            self.positions[tp.partition] = records[-1].offset + 1
            self.timestamps_ms[tp.partition] = records[-1].timestamp or 0
        self.records += count
        return count

    def close(self) -> None:
        """Packs the events by stripe, while the batch before is still written; nothing is added afterwards."""
        with self.timed("pack"):
            self.stripes = self._fold.stripes()

    def _split(self, records: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """Yields the records in portions that are decoded within some milliseconds: fewer where they are large."""
        for first in range(0, len(records), _DECODE_RECORDS):
            some = records[first : first + _DECODE_RECORDS]
            size_bytes = sum([len(value) for record in some if (value := record.value)])
            size_bytes += sum([len(text or b"") for record in some if record.headers for _, text in record.headers])
            self.size_bytes += size_bytes
            at_once = max(1, _DECODE_RECORDS * _DECODE_BYTES // max(size_bytes, _DECODE_BYTES))
            for at in range(0, len(some), at_once):
                yield some[at : at + at_once]


async def read_batch(
    batch: Batch,
    consumer: AIOKafkaConsumer,
    timeout_ms: int,
    max_records: int,
    is_ours: Callable[[], bool],
) -> Batch | None:
    """Polls into an empty batch until no more records have been fetched or it is full, and returns it.

    Returns None as soon as the partitions are no longer this consumer's. Waits `timeout_ms` at most for the first
    records. Raises the KafkaErrors of `getmany`.
    """
    while not batch.drained and batch.records < max_records and batch.size_bytes < _MOST_BYTES:
        with batch.timed("poll"):
            polled = await consumer.getmany(timeout_ms=0 if batch.records else timeout_ms, max_records=POLL_RECORDS)
        if not is_ours():
            return None
        batch.drained = await batch.add(polled) < POLL_RECORDS
        if not is_ours():
            return None
    batch.close()
    return batch
