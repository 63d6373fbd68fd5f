"""Batches: what comes of the records that were polled."""

from collections.abc import Sequence

from aiokafka import TopicPartition

from consumers.ingest.batch import Batch
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
