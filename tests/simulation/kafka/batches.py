"""Record batches as they lie in a log: bytes, and what their headers say. Pure, no I/O."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c

# base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first and last timestamp,
# producer id, epoch and first sequence, count of records
_HEADER = struct.Struct(">qiibIhiqqqhii")
_PLACE = struct.Struct(">qii")
HEADER_BYTES = _HEADER.size
LENGTH_FROM = 12
LENGTH_AT, MAGIC_AT, CRC_AT, CRC_FROM = 8, 16, 17, 21
_ATTRIBUTES_AT = 21
_LAST_TIMESTAMP_AT = 35
_LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 8, 16, 32
CODEC_MASK = 7
MAGIC = 2


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Holds a batch and what the log knows of it.

    The bytes of a batch that was damaged on disk may say something else than the fields.
    """

    data: bytes
    base: int
    last: int
    epoch: int
    attributes: int
    first_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int = -1
    producer_epoch: int = -1
    first_sequence: int = -1
    records: int = 0
    is_damaged: bool = False

    @property
    def last_sequence(self) -> int:
        """Returns the sequence number of the last record."""
        return (self.first_sequence + self.last - self.base) % (1 << 31) if self.first_sequence >= 0 else -1

    @property
    def is_transactional(self) -> bool:
        """Returns whether the batch belongs to a transaction; so does the marker that ends the transaction."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """Returns whether the batch is a marker that ends a transaction."""
        return bool(self.attributes & _CONTROL)

    def decoded(self) -> Iterator[Any]:
        """Yields the records, as aiokafka's parser gives them."""
        return iter(DefaultRecordBatch(self.data))

    def placed(self, base: int, epoch: int, append_ms: int | None) -> Self:
        """Returns the batch as it lies in a log from `base` on; with `append_ms` as the time of all its records."""
        data = bytearray(self.data)
        _PLACE.pack_into(data, 0, base, len(data) - LENGTH_FROM, epoch)
        attributes, last_ms = self.attributes, self.max_timestamp_ms
        if append_ms is not None:
            attributes, last_ms = attributes | _LOG_APPEND_TIME, append_ms
            struct.pack_into(">h", data, _ATTRIBUTES_AT, attributes)
            struct.pack_into(">q", data, _LAST_TIMESTAMP_AT, last_ms)
            struct.pack_into(">I", data, CRC_AT, calc_crc32c(bytes(data[CRC_FROM:])))
        return replace(
            self,
            data=bytes(data),
            base=base,
            last=base + self.last - self.base,
            epoch=epoch,
            attributes=attributes,
            max_timestamp_ms=last_ms,
        )


class InvalidBatchError(ValueError):
    """Says that bytes are no batch that a broker takes."""


class SeveralBatchesError(ValueError):
    """Says that bytes are a batch, and something after it."""


def parse(data: bytes) -> Batch:
    """Returns the batch that these bytes are. Raises InvalidBatchError if they are none, or SeveralBatchesError."""
    if len(data) < HEADER_BYTES:
        raise InvalidBatchError("too short")
    base, length, epoch, magic, crc, attributes, delta, *more = _HEADER.unpack_from(data)
    end = length + LENGTH_FROM
    if magic != MAGIC or not HEADER_BYTES <= end <= len(data):
        raise InvalidBatchError("no magic 2, or no batch of this length")
    if crc != calc_crc32c(data[CRC_FROM:end]):
        raise InvalidBatchError("wrong checksum")
    if end < len(data):
        raise SeveralBatchesError
    return Batch(data, base, base + delta, epoch, attributes, *more)


def build(fields: Batch, payload: bytes) -> Batch:
    """Returns a batch with these fields, and the bytes of its records, which are encoded (and compressed) already."""
    tail = struct.pack(
        ">hiqqqhii",
        fields.attributes,
        fields.last - fields.base,
        fields.first_timestamp_ms,
        fields.max_timestamp_ms,
        fields.producer_id,
        fields.producer_epoch,
        fields.first_sequence,
        fields.records,
    )
    tail += payload
    length = len(tail) + CRC_FROM - LENGTH_FROM
    head = struct.pack(">qiibI", fields.base, length, fields.epoch, MAGIC, calc_crc32c(tail))
    return replace(fields, data=head + tail)


def build_marker(is_commit: bool, producer_id: int, producer_epoch: int, now_ms: int) -> Batch:
    """Returns the control batch that ends a producer's transaction; it has yet to be placed."""
    key, value = struct.pack(">hh", 0, is_commit), struct.pack(">hi", 0, 0)
    record = b"\0\0\0" + bytes([2 * len(key)]) + key + bytes([2 * len(value)]) + value + b"\0"
    payload = bytes([2 * len(record)]) + record
    fields = Batch(b"", 0, 0, 0, _TRANSACTIONAL | _CONTROL, now_ms, now_ms, producer_id, producer_epoch, -1, 1)
    return build(fields, payload)


def is_commit(marker: Batch) -> bool:
    """Returns whether a control batch ends its transaction with a commit."""
    return marker.data[HEADER_BYTES + 8] == 1
