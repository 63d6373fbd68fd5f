"""Polled records to one batch: events folded by job, dead letters, and the offsets that it reaches."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumers.dead_letters import DeadLetter
from consumers.decoding import InvalidRecordError, decode
from service.events import JobDeletion, JobEvent
from service.store.batch import Fold

# Decoding holds the event loop for about a millisecond, then lets heartbeats and the write of the last batch run.
RECORDS_PER_TURN = 500


@dataclass(slots=True)
class Batch:
    """What one poll brought; positions and timestamps are per partition, of the last record."""

    fold: Fold = field(default_factory=Fold)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)
    timestamps_ms: dict[int, int] = field(default_factory=dict)
    records: int = 0


async def decode_batch(polled: Mapping[Any, Sequence[Any]]) -> Batch:
    """Decodes what `getmany` returned; a record that is no event becomes a dead letter."""
    batch = Batch()
    for tp, records in polled.items():
        for first in range(0, len(records), RECORDS_PER_TURN):
            _decode_some(records[first : first + RECORDS_PER_TURN], batch)
            await asyncio.sleep(0)
        batch.records += len(records)
        batch.positions[tp.partition] = records[-1].offset + 1
        batch.timestamps_ms[tp.partition] = records[-1].timestamp
    return batch


def _decode_some(records: Sequence[Any], batch: Batch) -> None:
    events: list[JobEvent | JobDeletion] = []
    append = events.append
    for record in records:
        try:
            append(decode(record.key, record.value))
        except InvalidRecordError as error:
            batch.dead_letters.append(_dead_letter(record, error))
    batch.fold.add(events)


def _dead_letter(record: Any, error: InvalidRecordError) -> DeadLetter:
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=record.headers,
        reason=error.reason,
        detail=error.detail,
    )
