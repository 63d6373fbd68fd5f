"""Batches: what comes of the records that were polled."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from consumers.ingest.batch import POLL_RECORDS, Batch, read_batch
from consumers.kafka.aiokafka_private import HeaderName, MisnamedRecord
from tests.consumers.support import record_of
from tests.store.support import event

TP = TopicPartition("events", 3)


def record(offset: int, headers: Sequence[tuple[str, bytes | None]] = (), value: bytes | None = None) -> MisnamedRecord:
    """A record of a valid event, or of this value; the parser gives one of this type only if a header is misnamed."""
    key, own = record_of(event(offset))
    return MisnamedRecord(offset, 1_000 + offset, key, value or own, headers)


async def test_a_misnamed_record_is_a_letter_and_nothing_else() -> None:
    """Though its key and value are an event's: it does not count. Nor is it sifted: see tests/store/test_sifting.py."""
    batch = Batch()
    headers = [("first", b""), (HeaderName(b"\xff"), b"")]
    assert await batch.add({TP: [record(7, headers)]}) == 1
    batch.close()
    [letter] = batch.dead_letters
    assert (letter.reason, letter.detail) == ("bad_headers", "headers: the name of number 2 is not UTF-8")
    assert (letter.offset, letter.headers) == (7, tuple(headers))
    assert batch.stripes == {}
    assert batch.positions == {3: 8}
    assert batch.timestamps_ms == {3: 1_007}


class Endless:
    """A consumer that always has as many records as are asked for, each of this size."""

    def __init__(self, value_bytes: int, header_bytes: int) -> None:
        self._value = bytes(value_bytes)
        self._headers = [("filler", bytes(header_bytes))]

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        """Records from offset 0 on."""
        given = {"timestamp": 1_000, "key": None, "value": self._value, "headers": self._headers}
        return {TP: [SimpleNamespace(offset=offset, **given) for offset in range(max_records)]}


@pytest.mark.parametrize(
    ("value_bytes", "header_bytes", "records"),
    [(1, 1, 20_000), (20_000, 1, POLL_RECORDS), (1, 20_000, POLL_RECORDS), (9_000, 0, 2 * POLL_RECORDS)],
)
async def test_a_batch_is_full_of_records_or_of_bytes(value_bytes: int, header_bytes: int, records: int) -> None:
    """All of its records stay in memory until it is written, in portions that are decoded without a pause."""
    batch = await read_batch(Batch(), Endless(value_bytes, header_bytes), 50, 20_000, lambda: True)
    assert batch is not None
    assert (batch.records, batch.drained) == (records, False)
    assert sum(len(some) for _, some in batch.portions) == records
    assert max(sum(len(each.value) for each in some) for _, some in batch.portions) <= 256 * 1024
