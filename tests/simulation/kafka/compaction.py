"""Compacts batches as Kafka's log cleaner does: of each key the newest record stays, and offsets stay. Pure, no I/O."""

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from aiokafka.codec import (
    gzip_decode,
    gzip_encode,
    lz4_decode,
    lz4_encode,
    snappy_decode,
    snappy_encode,
    zstd_decode,
    zstd_encode,
)

from tests.simulation.kafka.batches import CODEC_MASK, HEADER_BYTES, Batch, build
from tests.simulation.kafka.producers import Aborted

_CODECS = {
    1: (gzip_decode, gzip_encode),
    2: (snappy_decode, snappy_encode),
    3: (lz4_decode, lz4_encode),
    4: (zstd_decode, zstd_encode),
}


@dataclass(frozen=True, slots=True)
class _Record:
    data: bytes
    offset: int
    timestamp_ms: int
    key: bytes | None
    is_tombstone: bool


def compact(batches: Sequence[Batch], aborted: Sequence[Aborted], drops_tombstones: bool) -> dict[Batch, Batch | None]:
    """Returns what becomes of each batch that does not stay as it is, None if the batch is dropped.

    A batch that has lost all records stays, empty, if it holds the last sequence number of its producer.
    """
    kept = {batch: _records(batch) for batch in batches if not batch.is_control and not _is_aborted(batch, aborted)}
    newest = {record.key: record.offset for records in kept.values() for record in records}
    lasts = {batch.producer_id: batch for batch in batches if batch.producer_id >= 0 and not batch.is_control}
    changes: dict[Batch, Batch | None] = {}
    for batch in batches:
        if batch.is_control:
            continue
        records = [
            record
            for record in kept.get(batch, [])
            if record.key is not None
            and newest[record.key] == record.offset
            and not (drops_tombstones and record.is_tombstone)
        ]
        if not records and lasts.get(batch.producer_id) is not batch:
            changes[batch] = None
        elif len(records) < batch.records:
            changes[batch] = _rebuild(batch, records)
    return changes


def has_all_keys(batch: Batch) -> bool:
    """Returns whether each record of a batch has a key, as a compacted topic demands it."""
    return all(record.key is not None for record in _records(batch))


def _is_aborted(batch: Batch, aborted: Collection[Aborted]) -> bool:
    return batch.is_transactional and any(
        each.producer_id == batch.producer_id and each.first <= batch.base <= each.last for each in aborted
    )


def _rebuild(batch: Batch, records: Sequence[_Record]) -> Batch:
    codec = batch.attributes & CODEC_MASK
    if not records:
        return build(replace(batch, records=0, attributes=batch.attributes - codec), b"")
    payload = b"".join(record.data for record in records)
    if codec:
        payload = _CODECS[codec][1](payload)
    last_ms = max(record.timestamp_ms for record in records)
    return build(replace(batch, records=len(records), max_timestamp_ms=last_ms), payload)


def _records(batch: Batch) -> list[_Record]:
    """Returns the records of a batch, each with its bytes."""
    if not batch.records:
        return []
    payload = batch.data[HEADER_BYTES:]
    codec = batch.attributes & CODEC_MASK
    if codec:
        payload = _CODECS[codec][0](payload)
    return list(_parse(batch, bytes(payload)))


def _parse(batch: Batch, payload: bytes) -> Iterator[_Record]:
    at = 0
    while at < len(payload):
        size, start = _varint(payload, at)
        end = start + size
        timestamp_delta, here = _varint(payload, start + 1)
        offset_delta, here = _varint(payload, here)
        key_bytes, here = _varint(payload, here)
        key = payload[here : here + key_bytes] if key_bytes >= 0 else None
        value_bytes, _ = _varint(payload, here + max(key_bytes, 0))
        timestamp_ms = batch.first_timestamp_ms + timestamp_delta
        yield _Record(payload[at:end], batch.base + offset_delta, timestamp_ms, key, value_bytes < 0)
        at = end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns a number and the index after it. Raises struct.error if the data ends before."""
    value = shift = 0
    while True:
        (byte,) = struct.unpack_from("B", data, at)
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
