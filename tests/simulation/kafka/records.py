"""Takes the records out of batches as they lie in a log, byte for byte. Pure, no I/O."""

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

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

from tests.simulation.kafka.batches import CODEC_MASK, HEADER_BYTES, Batch
from tests.simulation.kafka.producers import Aborted

CODECS = {
    1: (gzip_decode, gzip_encode),
    2: (snappy_decode, snappy_encode),
    3: (lz4_decode, lz4_encode),
    4: (zstd_decode, zstd_encode),
}
Content = tuple[bytes | None, bytes | None, tuple[tuple[bytes, bytes | None], ...]]
"""Key, value and headers of a record; names of headers are bytes, as not all of them are UTF-8."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """Holds a record as it lies in a batch: all its bytes, and what its beginning says."""

    data: bytes
    offset: int
    timestamp_ms: int
    key: bytes | None
    is_tombstone: bool
    value_at: int  # in `data`

    def content(self) -> Content:
        """Returns key, value and headers."""
        value, at = _bytes(self.data, self.value_at)
        count, at = _varint(self.data, at)
        headers = []
        for _ in range(count):
            name, at = _bytes(self.data, at)
            content, at = _bytes(self.data, at)
            headers.append((name or b"", content))
        return self.key, value, tuple(headers)


def is_aborted(batch: Batch, aborted: Collection[Aborted]) -> bool:
    """Returns whether a batch belongs to one of these transactions."""
    return batch.is_transactional and any(
        each.producer_id == batch.producer_id and each.first <= batch.base <= each.last for each in aborted
    )


def records_of(batch: Batch) -> Sequence[StoredRecord]:
    """Returns the records of a batch that is not damaged."""
    if not batch.records:
        return []
    payload = batch.data[HEADER_BYTES:]
    codec = batch.attributes & CODEC_MASK
    if codec:
        payload = CODECS[codec][0](payload)
    return list(_parse(batch, bytes(payload)))


def _parse(batch: Batch, payload: bytes) -> Iterator[StoredRecord]:
    at = 0
    while at < len(payload):
        size, start = _varint(payload, at)
        end = start + size
        timestamp_delta, here = _varint(payload, start + 1)
        offset_delta, here = _varint(payload, here)
        key, value_at = _bytes(payload, here)
        value_bytes, _ = _varint(payload, value_at)
        timestamp_ms = batch.first_timestamp_ms + timestamp_delta
        offset = batch.base + offset_delta
        yield StoredRecord(payload[at:end], offset, timestamp_ms, key, value_bytes < 0, value_at - at)
        at = end


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    """Returns bytes that follow their length, None if there are none, and the index after them."""
    size, at = _varint(data, at)
    return (None, at) if size < 0 else (data[at : at + size], at + size)


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
