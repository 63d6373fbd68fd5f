"""Compacts batches as Kafka's log cleaner does: of each key the newest record stays, and offsets stay. Pure, no I/O."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.simulation.kafka.batches import CODEC_MASK, Batch, build
from tests.simulation.kafka.producers import Aborted
from tests.simulation.kafka.records import CODECS, StoredRecord, is_aborted, records_of


def may_drop_all(_offset: int) -> bool:
    """Returns True."""
    return True


def compact(
    batches: Sequence[Batch],
    aborted: Sequence[Aborted],
    drops_tombstones: bool,
    may_drop: Callable[[int], bool] = may_drop_all,
) -> dict[Batch, Batch | None]:
    """Returns what becomes of each batch that does not stay as it is, None if the batch is dropped.

    A record stays where `may_drop` says so of its offset, as if the cleaner had not come that far. A batch that has
    lost all records stays, empty, if it holds the last sequence number of its producer.
    """
    kept = {batch: records_of(batch) for batch in batches if not batch.is_control and not is_aborted(batch, aborted)}
    newest = {record.key: record.offset for records in kept.values() for record in records}
    lasts = {batch.producer_id: batch for batch in batches if batch.producer_id >= 0 and not batch.is_control}
    changes: dict[Batch, Batch | None] = {}
    for batch in batches:
        if batch.is_control:
            continue
        records = [
            record
            for record in kept.get(batch, [])
            if not may_drop(record.offset)
            or (
                record.key is not None
                and newest[record.key] == record.offset
                and not (drops_tombstones and record.is_tombstone)
            )
        ]
        if not records and lasts.get(batch.producer_id) is not batch:
            changes[batch] = None
        elif len(records) < batch.records:
            changes[batch] = _rebuild(batch, records)
    return changes


def has_all_keys(batch: Batch) -> bool:
    """Returns whether each record of a batch has a key, as a compacted topic demands it."""
    return all(record.key is not None for record in records_of(batch))


def _rebuild(batch: Batch, records: Sequence[StoredRecord]) -> Batch:
    codec = batch.attributes & CODEC_MASK
    if not records:
        return build(replace(batch, records=0, attributes=batch.attributes - codec), b"")
    payload = b"".join(record.data for record in records)
    if codec:
        payload = CODECS[codec][1](payload)
    last_ms = max(record.timestamp_ms for record in records)
    return build(replace(batch, records=len(records), max_timestamp_ms=last_ms), payload)
