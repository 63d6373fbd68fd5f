"""Logs: what a fetch gets of them, what truncation leaves, and what compaction does. Pure."""

import struct
from collections.abc import Sequence
from dataclasses import replace

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from tests.simulation.kafka.batches import Batch, build_marker, parse
from tests.simulation.kafka.compaction import compact
from tests.simulation.kafka.log import DamagedLogError, Log
from tests.simulation.kafka.producers import Aborted

Record = tuple[bytes | None, bytes | None]


def batch_of(*records: Record, producer: tuple[int, int, int] = (-1, -1, -1), codec: int = 0) -> Batch:
    """A batch that has yet to be placed; `producer` is id, epoch and first sequence."""
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, *producer, 1 << 20)
    for number, (key, value) in enumerate(records):
        builder.append(number, timestamp=number, key=key, value=value, headers=[])
    return parse(bytes(builder.build()))


def log_of(*batches: Batch) -> Log:
    """A log of these batches, one after the other."""
    log = Log()
    for batch in batches:
        log.append(batch.placed(log.end, 0, None))
    return log


def keys_of(log: Log) -> list[tuple[int, bytes]]:
    """Offsets and keys of the records that a log has."""
    return [(record.offset, record.key) for batch in log.batches if batch.records for record in batch.decoded()]


def changed(log: Log, changes: dict[Batch, Batch | None]) -> Log:
    """The log after compaction."""
    kept = [changes.get(batch, batch) for batch in log.batches]
    log.replace([batch for batch in kept if batch is not None])
    return log


A, B, C = batch_of((b"a", b"1"), (b"b", b"1")), batch_of((b"a", b"2")), batch_of((b"c", b"3"))
SIZES = [len(batch.data) for batch in (A, B, C)]


@pytest.mark.parametrize(
    ("most_bytes", "is_first", "expected"),
    [
        (10_000, False, sum(SIZES)),
        (sum(SIZES[:2]), False, sum(SIZES[:2])),
        (sum(SIZES[:2]) + 5, False, sum(SIZES[:2]) + 5),
        (SIZES[0] - 1, False, 0),
        (SIZES[0] - 1, True, SIZES[0]),
        (0, True, SIZES[0]),
        (0, False, 0),
    ],
)
def test_a_read_is_cut_off_by_its_size(most_bytes: int, is_first: bool, expected: int) -> None:
    """Within a batch, but the first batch comes whole or not at all."""
    assert len(log_of(A, B, C).read(0, 4, most_bytes, is_first)) == expected


def test_a_read_begins_with_the_batch_of_its_offset_and_ends_where_it_may() -> None:
    """No batch comes that has a record from the end on."""
    log = log_of(A, B, C)
    assert len(log.read(1, 3, 10_000, False)) == SIZES[0] + SIZES[1]
    assert log.read(1, 1, 10_000, False) == b""
    assert log.read(4, 4, 10_000, True) == b""


def test_a_log_begins_and_ends_where_records_were_dropped() -> None:
    """Its offsets go on."""
    log = log_of(A, B, C)
    log.drop_before(1)
    assert (log.start, log.batches[0].base) == (1, 0)
    log.drop_before(2)
    assert (log.start, log.batches[0].base) == (2, 2)
    log.truncate(1)
    assert (log.end, len(log.batches)) == (3, 1)
    log.drop_before(9)
    assert (log.start, log.end, log.batches) == (9, 9, [])


@pytest.mark.parametrize("length", [3, 1 << 20])
def test_a_broker_does_not_find_a_batch_whose_length_is_wrong(length: int) -> None:
    """Nor those that come after it, up to the next that its index has; the batches before it come with it."""
    log = log_of(A, B, C, *[A] * 80)
    data = log.batches[1].data
    damaged = replace(log.batches[1], data=data[:8] + struct.pack(">i", length) + data[12:], is_damaged=True)
    log.replace([log.batches[0], damaged, *log.batches[2:]])
    assert len(log.read(0, 4, 10_000, False)) == sum(SIZES)
    for offset in (2, 3, 4):
        if length == 3:
            with pytest.raises(DamagedLogError):
                log.read(offset, log.end, 10_000, True)
        else:
            assert log.read(offset, log.end, 10_000, True) == b""
    assert log.read(log.end - 1, log.end, 10_000, True) == log.batches[-1].data


@pytest.mark.parametrize("codec", range(5))
def test_compaction_keeps_the_newest_record_of_each_key_at_its_offset(codec: int) -> None:
    """Whatever the codec; a batch without any left is gone."""
    first = batch_of((b"a", b"1"), (b"b", b"1"), (b"c", b"1"), codec=codec)
    log = log_of(first, batch_of((b"a", b"2"), codec=codec), batch_of((b"a", b"3"), (b"c", None), codec=codec))
    changed(log, compact(log.batches, [], drops_tombstones=False))
    assert keys_of(log) == [(1, b"b"), (3 + 1, b"a"), (3 + 2, b"c")]
    assert [(batch.base, batch.last) for batch in log.batches] == [(0, 2), (4, 5)]
    assert [parse(batch.data).records for batch in log.batches] == [1, 2]
    changed(log, compact(log.batches, [], drops_tombstones=True))
    assert keys_of(log) == [(1, b"b"), (4, b"a")]
    assert log.end == 6


def test_an_empty_batch_holds_the_last_sequence_number_of_its_producer() -> None:
    """And no other."""
    log = log_of(
        batch_of((b"a", b"1"), producer=(7, 0, 0), codec=1),
        batch_of((b"a", b"2"), producer=(7, 0, 1), codec=1),
        batch_of((b"a", b"3")),
    )
    changed(log, compact(log.batches, [], drops_tombstones=False))
    assert [(batch.base, batch.records, batch.last_sequence) for batch in log.batches] == [(1, 0, 1), (2, 1, -1)]
    assert parse(log.batches[0].data).records == 0


def test_what_was_aborted_replaces_nothing() -> None:
    """Its records go, and markers stay."""
    aborted = replace(batch_of((b"a", b"2"), producer=(7, 0, 0)), attributes=16)
    log = log_of(batch_of((b"a", b"1")), aborted, build_marker(False, 7, 0, 0), batch_of((b"b", b"1")))
    changed(log, compact(log.batches, [Aborted(7, 1, 2)], drops_tombstones=False))
    with_records: Sequence[Batch] = [batch for batch in log.batches if batch.records and not batch.is_control]
    assert [batch.base for batch in with_records] == [0, 3]
    assert [batch.base for batch in log.batches if batch.is_control] == [2]
