"""Polled records to one batch: what they come to, and the offsets that it reaches."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from consumers.dead_letters import DeadLetter
from consumers.folding import RecordFold
from service.store.batch import ProjectBatch

# Decoding holds the event loop for about a millisecond, then lets heartbeats and the write of the last batch run.
RECORDS_PER_TURN = 500


@dataclass(slots=True)
class Batch:
    """What one poll brought; positions and timestamps are per partition, of the last record."""

    stripes: dict[int, list[ProjectBatch]] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)
    timestamps_ms: dict[int, int] = field(default_factory=dict)
    records: int = 0


async def decode_batch(polled: Mapping[TopicPartition, Sequence[Any]]) -> Batch:
    """Decodes and folds what `getmany` returned."""
    fold = RecordFold()
    batch = Batch(dead_letters=fold.dead_letters)
    for tp, records in polled.items():
        for first in range(0, len(records), RECORDS_PER_TURN):
            fold.add(tp, records[first : first + RECORDS_PER_TURN])
            await asyncio.sleep(0)
        batch.records += len(records)
        batch.positions[tp.partition] = records[-1].offset + 1
        batch.timestamps_ms[tp.partition] = records[-1].timestamp
    batch.stripes = fold.stripes()
    return batch
