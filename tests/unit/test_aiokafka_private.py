"""What is done to the inside of aiokafka: responses taken apart, batch by batch, and the names of headers."""

import asyncio
import hashlib
import inspect
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.producer import message_accumulator
from aiokafka.protocol.fetch import FetchRequest, FetchResponse_v11
from aiokafka.protocol.offset import OffsetRequest, OffsetResponse_v3
from aiokafka.record import default_records
from aiokafka.record.util import calc_crc32c

from consumers.kafka import aiokafka_private
from consumers.kafka.aiokafka_private import (
    HeaderName,
    LeaderFetch,
    MisnamedRecord,
    Reader,
    Unreadable,
    _Fetcher,
    _LenientBuilder,
)
from consumers.kafka.leadership import CaughtUp

TP = TopicPartition("events", 3)
MISNAMED = [(HeaderName(b"trace\xff\xfe-id"), b"\x00\xff"), ("plain", None), (HeaderName(b"\xed\xa0\x80"), b"")]
_CRC_AT, _ATTRIBUTES_AT = 17, 21


def test_the_library_is_the_one_that_was_read() -> None:
    """Whoever updates aiokafka reads our aiokafka_private.py against it, and then writes the new digest here."""
    read = [
        fetcher.FetchResult,
        fetcher.PartitionRecords,
        fetcher.Fetcher._fetch_requests_routine,
        fetcher.Fetcher._get_actions_per_node,
        fetcher.Fetcher._proc_fetch_request,
        fetcher.Fetcher._set_error,
        fetcher.Fetcher._create_fetch_waiter,
        fetcher.Fetcher._notify,
        fetcher.Fetcher.fetched_records,
        fetcher.Fetcher.request_offset_reset,
        fetcher.Fetcher.seek_to,
        fetcher.FetchError,
        FetchRequest,
        AIOKafkaConsumer.start,
        AIOKafkaConsumer.getmany,
        aiokafka_private._library_bootstrap,
        GroupCoordinator.check_errors,
        default_records._DefaultRecordBatchPy,
        default_records._DefaultRecordBatchBuilderPy,
        message_accumulator.BatchBuilder,
    ]
    digest = hashlib.sha256("".join(map(inspect.getsource, read)).encode()).hexdigest()[:16]
    assert (aiokafka.__version__, digest) == ("0.14.0", "f57c6a4f28394a9c")


@pytest.mark.parametrize(("known", "version"), [((0, 11), 10), ((4, 17), 10), ((0, 8), 8)])
def test_only_leaders_are_asked_for_records(known: tuple[int, int], version: int) -> None:
    """Followers answer version 11, a former leader among them: what it says of the end may be out of date."""
    request = LeaderFetch(FetchRequest(100, 1, 1_000, 1, [("events", [(3, 7, 500)])])).prepare({1: known})
    assert (request.API_VERSION, request.topics[0][0]) == (version, "events")


def batch_of(
    count: int, headers: Sequence[tuple[str, bytes | None]] = (), codec: int = 0, base_offset: int = 0
) -> bytes:
    """One batch as a broker stores it."""
    builder = _LenientBuilder(1 << 20, codec)
    for number in range(count):
        key, value = b"key %d" % (base_offset + number), b"value" * 20
        builder.append(timestamp=1_000 + number, key=key, value=value, headers=list(headers) if number == 1 else [])
    return base_offset.to_bytes(8) + bytes(builder._build())[8:]


def sealed(batch: bytes) -> bytes:
    """The batch with the checksum that is right for what is in it."""
    return batch[:_CRC_AT] + struct.pack(">I", calc_crc32c(batch[_ATTRIBUTES_AT:])) + batch[_ATTRIBUTES_AT:]


def changed(batch: bytes, at: int, to: bytes) -> bytes:
    """The batch with some bytes replaced."""
    return batch[:at] + to + batch[at + len(to) :]


@dataclass
class Broker:
    """Answers one fetch of partition 3 from offset `position` on, and remembers that others were asked for."""

    data: bytes = b""
    highwater: int = 0
    code: int = 0
    end_code: int = 0
    metadata_updates: int = 0
    before_answer: Callable[[], None] = field(default=lambda: None)

    async def send(self, _node: int, request: Any) -> Any:
        """The response to a fetch, or to the request for the end."""
        if isinstance(request, OffsetRequest):
            return OffsetResponse_v3(0, [("events", [(3, self.end_code, -1, self.highwater)])])
        self.before_answer()
        parts: list[Any] = [(3, self.code, self.highwater, self.highwater, 0, [], -1, self.data)]
        return FetchResponse_v11(0, 0, 0, [("events", parts)])

    def force_metadata_update(self) -> None:
        """Counts."""
        self.metadata_updates += 1


class Polling:
    """A reader's fetcher alone, with a broker of the test's."""

    def __init__(self, position: int = 0) -> None:
        self.now_ms = 5_000
        self.reader = Reader(lambda: self.now_ms, bootstrap_servers="nowhere")
        self.reader._closed = True
        self.fetcher = _Fetcher.__new__(_Fetcher)
        self.fetcher.reader = self.reader
        self.fetcher.taken = {}
        self.fetcher._records = {}
        self.fetcher._subscriptions = SimpleNamespace(reassignment_in_progress=False, seek=self.seek)
        self.fetcher._wait_consume_future = None
        self.fetcher._check_crcs = True
        self.fetcher._isolation_level = fetcher.READ_COMMITTED
        self.fetcher._prefetch_backoff = self.fetcher._retry_backoff = 0.0
        self.assignment = Assignment([TP])
        self.state = self.assignment.state_value(TP)
        self.state.seek(position)

    def seek(self, _tp: TopicPartition, offset: int) -> None:
        """Sets the position; the fetcher asks for it."""
        self.state.seek(offset)

    async def fetch(self, broker: Broker) -> int:
        """Fetches once, and returns from where on the broker was asked."""
        self.fetcher._client = broker
        request = FetchRequest(100, 1, 1, 1, [("events", [(3, self.state.position, 1)])])
        await self.fetcher._proc_fetch_request(self.assignment, 1, request)
        return int(request.topics[0][1][0][1])

    async def hand_out(self, most: int = 1_000) -> list[Any]:
        """What is handed out without a wait."""
        return (await self.fetcher.hand_out(None, 0, most)).get(TP, [])

    async def poll(self, broker: Broker, most: int = 1_000) -> list[Any]:
        """What is handed out after one fetch."""
        await self.fetch(broker)
        return await self.hand_out(most)


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4], ids=["plain", "gzip", "snappy", "lz4", "zstd"])
async def test_a_misnamed_header_makes_a_misnamed_record_of_its_record_alone(codec: int) -> None:
    """The record has its key, value and all headers' bytes; those before and behind it are records as ever."""
    polling = Polling()
    records = await polling.poll(Broker(batch_of(2) + batch_of(3, MISNAMED, codec, base_offset=2)))
    assert [record.offset for record in records] == [0, 1, 2, 3, 4]
    assert [type(record) is MisnamedRecord for record in records] == [False, False, False, True, False]
    assert [(name.encode(), value) for name, value in records[3].headers] == [
        (b"trace\xff\xfe-id", b"\x00\xff"),
        (b"plain", None),
        (b"\xed\xa0\x80", b""),
    ]
    assert (records[3].key, records[3].value, records[3].timestamp) == (b"key 3", b"value" * 20, 1_001)
    assert records[4].key == b"key 4"
    assert polling.state.position == 5
    assert polling.reader.unreadable == {}


GOOD = batch_of(3)
NAMED = batch_of(3, [("hhhh", b"v")])
DAMAGES = {
    "checksum": changed(GOOD, len(GOOD) - 3, b"?"),
    "codec": sealed(changed(GOOD, _ATTRIBUTES_AT, b"\x00\x05")),
    "magic": changed(GOOD, 16, b"\x07"),
    "no magic": changed(GOOD, 16, b"\xff"),
    "truncated zstd": sealed(changed(batch_of(3, codec=4)[:-9], 8, struct.pack(">i", len(batch_of(3, codec=4)) - 21))),
    "truncated gzip": sealed(changed(batch_of(3, codec=1)[:-9], 8, struct.pack(">i", len(batch_of(3, codec=1)) - 21))),
    "longer than it is": changed(GOOD, 8, struct.pack(">i", len(GOOD) + 1)),
    "shorter than it is": changed(GOOD, 8, struct.pack(">i", len(GOOD) - 20)),
    "no length": changed(GOOD, 8, struct.pack(">i", 0)),
    "negative length": changed(GOOD, 8, struct.pack(">i", -5)),
    "more records than it has": sealed(changed(GOOD, 57, struct.pack(">i", 4))),
    "fewer records than it has": sealed(changed(GOOD, 57, struct.pack(">i", 2))),
    "a length in a record": sealed(changed(GOOD, 61, b"\x02")),
    "a length of gigabytes": sealed(NAMED.replace(b"\x08hhhh", b"\xfe\xff\xff\xff\x0f")),
    "a few bytes": GOOD[:10],
    "ends before the offset": changed(GOOD, 0, struct.pack(">q", -10)),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_cannot_be_taken_apart_stops_its_partition_and_is_never_skipped(damage: str) -> None:
    """Nothing is raised, the position stays, and once the batch is mended all of it is handed out."""
    polling = Polling()
    bad = DAMAGES[damage]
    assert [record.offset for record in await polling.poll(Broker(bad))] == []
    assert polling.state.position == 0
    assert polling.state.paused
    assert polling.reader.unreadable[TP].offset == 0
    assert polling.reader.unreadable[TP].cause
    polling.state.resume()
    assert [record.offset for record in await polling.poll(Broker(GOOD))] == [0, 1, 2]
    assert polling.reader.unreadable == {}
    assert polling.state.position == 3


async def test_what_is_before_a_damaged_batch_is_handed_out_and_what_is_behind_waits() -> None:
    """In portions as well; the offset named is the damaged batch's."""
    polling = Polling()
    data = batch_of(3) + changed(batch_of(3, base_offset=3), 70, b"?") + batch_of(3, base_offset=6)
    assert [record.offset for record in await polling.poll(Broker(data), most=2)] == [0, 1]
    assert polling.reader.unreadable == {}
    assert [record.offset for record in await polling.poll(Broker(data))] == [2]
    assert polling.reader.unreadable[TP].offset == polling.state.position == 3


async def test_a_batch_cut_off_by_the_size_of_the_fetch_is_no_damage() -> None:
    """The rest comes with the next fetch."""
    polling = Polling()
    assert len(await polling.poll(Broker(batch_of(3) + batch_of(3, base_offset=3)[:-10]))) == 3
    assert polling.reader.unreadable == {}
    assert not polling.state.paused


async def test_the_log_says_once_where_a_partition_stops_and_when_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is tried again."""
    caplog.set_level("INFO")
    polling = Polling()
    for _ in range(3):
        await polling.poll(Broker(DAMAGES["checksum"]))
        polling.state.resume()
    await polling.poll(Broker(GOOD))
    assert [(record.levelname, record.partition, record.offset) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("ERROR", 3, 0),
        ("INFO", 3, 0),
    ]


async def test_a_broker_that_cannot_read_a_partition_stops_it_alone() -> None:
    """An error that is neither of a leader that moved nor of an offset that is gone."""
    polling = Polling(position=7)
    assert await polling.poll(Broker(code=2)) == []
    assert polling.reader.unreadable == {TP: Unreadable(7, "CorruptRecordException()")}
    polling.state.resume()
    moved = Broker(code=6)
    assert await polling.poll(moved) == []
    assert moved.metadata_updates == 1
    with pytest.raises(aiokafka.errors.OffsetOutOfRangeError):
        await polling.poll(Broker(code=1))
    assert polling.reader.unreadable == {}


@pytest.mark.parametrize(("highwater", "expected"), [(7, True), (6, True), (8, False)], ids=["end", "short", "beyond"])
async def test_an_empty_response_proves_that_a_partition_is_caught_up_if_it_is_at_its_end(
    highwater: int, expected: bool
) -> None:
    """Told by the same response, as of when the fetch was sent; behind an open transaction something lies beyond."""
    polling = Polling(position=7)

    def passes() -> None:
        polling.now_ms += 1_000

    polling.reader.leadership.told(TP, 1, asyncio.get_running_loop().time())
    await polling.poll(Broker(highwater=highwater, before_answer=passes))
    assert polling.reader.caught_up == ({TP: CaughtUp(5_000, 7)} if expected else {})


async def test_a_new_leader_proves_nothing_before_it_tells_the_end() -> None:
    """It may not know yet how far the former one was; what it answers for after it has told counts, from then on."""
    polling = Polling(position=7)
    new = Broker(highwater=7, end_code=5)
    for _ in range(2):
        await polling.poll(new)
        assert polling.reader.caught_up == {}
    new.end_code = 0
    await polling.poll(new)
    assert polling.reader.caught_up == {}
    polling.now_ms += 1_000
    await polling.poll(new)
    assert polling.reader.caught_up == {TP: CaughtUp(6_000, 7)}
    await polling.poll(Broker(code=6))
    polling.now_ms += 1_000
    await polling.poll(new)
    assert polling.reader.caught_up == {TP: CaughtUp(6_000, 7)}


async def test_a_response_with_records_proves_nothing() -> None:
    """Nor does one that says nothing of the partition, or that came after a seek."""
    polling = Polling()
    polling.reader.leadership.told(TP, 1, asyncio.get_running_loop().time())
    await polling.poll(Broker(GOOD, highwater=3))
    await polling.poll(Broker(highwater=0, before_answer=lambda: polling.state.seek(1)))
    assert polling.reader.caught_up == {}


async def test_it_is_tried_again_by_itself() -> None:
    """The partition rests for a while, and is fetched again then."""
    polling = Polling()
    polling.reader.retry_seconds = 0.01
    await polling.poll(Broker(DAMAGES["checksum"]))
    assert polling.state.paused
    await asyncio.wait_for(polling.state.resume_fut, 10)
    assert not polling.state.paused


def offsets_of(records: Sequence[Any]) -> list[int]:
    """The offsets of records."""
    return [record.offset for record in records]


async def test_the_next_fetch_begins_where_what_was_taken_ends() -> None:
    """Though most of it was not handed out yet; the position is that of what was."""
    polling = Polling()
    assert offsets_of(await polling.poll(Broker(batch_of(3) + batch_of(3, base_offset=3)), most=2)) == [0, 1]
    assert await polling.fetch(Broker(batch_of(2, base_offset=6))) == 6
    assert polling.state.position == 2
    assert offsets_of(await polling.hand_out(most=3)) == [2, 3, 4]
    assert polling.state.position == 5
    assert offsets_of(await polling.hand_out()) == [5, 6, 7]
    assert polling.state.position == 8
    assert await polling.fetch(Broker()) == 8


@pytest.mark.parametrize("most", [1, 2, 3, 4, 7, 8])
async def test_portions_of_any_size_have_the_same_records(most: int) -> None:
    """All that are not before the offset that was asked for, each once; the position is behind the last of them."""
    polling = Polling(position=1)
    compacted = sealed(changed(batch_of(2, base_offset=3), 23, struct.pack(">i", 4)))
    await polling.fetch(Broker(batch_of(3) + compacted + batch_of(3, base_offset=8)))
    found: list[int] = []
    while records := offsets_of(await polling.hand_out(most)):
        found += records
        assert len(records) == most or found[-1] == 10
        assert polling.state.position == found[-1] + 1
    assert found == [1, 2, 3, 4, 8, 9, 10]


async def test_a_batch_with_offsets_in_disorder_goes_back_to_none() -> None:
    """A broken producer may write such a batch: of its records count those that are behind all before them."""
    builder = default_records._DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, 0, 1 << 20)
    for offset in (0, 2, 1, 2, 5, 4):
        builder.append(offset, 1_000, b"key", b"value", [])
    polling = Polling()
    assert offsets_of(await polling.poll(Broker(bytes(builder.build())))) == [0, 2, 5]


async def test_two_responses_at_most_are_held() -> None:
    """A partition whose next response is there already is not fetched, as the library has it."""
    polling = Polling()
    await polling.poll(Broker(batch_of(3)), most=1)
    await polling.fetch(Broker(batch_of(3, base_offset=3)))
    await polling.hand_out(most=1)
    assert (list(polling.fetcher.taken), list(polling.fetcher._records)) == ([TP], [TP])


async def test_a_fetch_ahead_goes_over_records_that_were_compacted_away() -> None:
    """A batch ends where its head says, and not with its last record."""
    polling = Polling()
    compacted = sealed(changed(batch_of(3), 23, struct.pack(">i", 9)))
    assert offsets_of(await polling.poll(Broker(compacted), most=2)) == [0, 1]
    assert await polling.fetch(Broker(batch_of(1, base_offset=12))) == 10
    assert offsets_of(await polling.hand_out()) == [2, 12]


_CONTROL, _TRANSACTIONAL = 0x20, 0x10


def with_attributes(batch: bytes, attributes: int) -> bytes:
    """The batch of a transaction, or one that marks its end."""
    of_producer = changed(batch, 43, struct.pack(">q", 4))
    return sealed(changed(of_producer, _ATTRIBUTES_AT, struct.pack(">h", attributes)))


async def test_a_partition_of_which_records_are_missing_is_told_with_the_first_record_behind_them() -> None:
    """Between batches and within one; not after a seek into a batch, nor for a mark of a transaction."""
    polling = Polling(position=1)
    mark = with_attributes(batch_of(1, base_offset=5), _TRANSACTIONAL | _CONTROL)
    whole = batch_of(3) + with_attributes(batch_of(2, base_offset=3), _TRANSACTIONAL) + mark
    assert offsets_of(await polling.poll(Broker(whole + batch_of(1, base_offset=7)), most=4)) == [1, 2, 3, 4]
    assert polling.reader.lacking == set()
    assert offsets_of(await polling.hand_out()) == [7]
    assert polling.reader.lacking == {TP}
    polling.reader.lacking.clear()
    assert offsets_of(await polling.poll(Broker(batch_of(2, base_offset=8)))) == [8, 9]
    assert polling.reader.lacking == set()
    shorter = sealed(changed(batch_of(3, base_offset=10), 23, struct.pack(">i", 9)))
    assert offsets_of(await polling.poll(Broker(shorter))) == [10, 11, 12]
    assert polling.reader.lacking == {TP}
    polling.reader.lacking.clear()
    mark = with_attributes(batch_of(1, base_offset=22), _TRANSACTIONAL | _CONTROL)
    assert await polling.poll(Broker(mark)) == []
    assert polling.reader.lacking == {TP}


@pytest.mark.parametrize("to", [1, 2, 3, 9])
async def test_a_seek_drops_what_was_fetched(to: int) -> None:
    """What was taken, what was fetched ahead, and what is under way, unless it is fetched from that very offset."""
    polling = Polling()
    await polling.poll(Broker(batch_of(3)), most=2)
    await polling.fetch(Broker(batch_of(3, base_offset=3)))
    polling.fetcher.seek_to(TP, to)
    assert await polling.hand_out() == []
    assert await polling.fetch(Broker(before_answer=lambda: polling.fetcher.seek_to(TP, 5))) == to
    polling.fetcher.seek_to(TP, 0)
    await polling.poll(Broker(batch_of(3)), most=2)
    await polling.fetch(Broker(batch_of(3, base_offset=3), before_answer=lambda: polling.fetcher.seek_to(TP, 2)))
    assert await polling.hand_out() == []
    assert polling.state.position == 2


async def test_a_pause_drops_what_was_taken_and_it_is_fetched_again() -> None:
    """As the library drops what it has fetched of a paused partition."""
    polling = Polling()
    await polling.poll(Broker(batch_of(3)), most=2)
    await polling.fetch(Broker(batch_of(3, base_offset=3)))
    polling.state.pause()
    assert await polling.hand_out() == []
    polling.state.resume()
    assert await polling.fetch(Broker(batch_of(3))) == 2
    assert offsets_of(await polling.hand_out()) == [2]


async def test_what_was_fetched_ahead_of_a_damaged_batch_is_dropped() -> None:
    """The heads of its batches say where it ends, but nothing behind the damage is handed out."""
    polling = Polling()
    data = batch_of(3) + changed(batch_of(3, base_offset=3), 70, b"?")
    assert offsets_of(await polling.poll(Broker(data), most=2)) == [0, 1]
    assert await polling.fetch(Broker(batch_of(3, base_offset=6))) == 6
    assert offsets_of(await polling.hand_out()) == [2]
    assert polling.reader.unreadable[TP].offset == polling.state.position == 3
    polling.state.resume()
    assert await polling.fetch(Broker(data)) == 3


async def test_an_error_of_a_fetch_ahead_waits_until_all_before_it_was_handed_out() -> None:
    """The offset is gone, or the broker cannot read there; what was taken is as good as ever."""
    polling = Polling()
    await polling.poll(Broker(batch_of(3)), most=1)
    await polling.fetch(Broker(code=1))
    assert offsets_of(await polling.hand_out()) == [1, 2]
    with pytest.raises(aiokafka.errors.OffsetOutOfRangeError):
        await polling.hand_out()
    await polling.poll(Broker(batch_of(3, base_offset=3)), most=1)
    await polling.fetch(Broker(code=2))
    assert offsets_of(await polling.hand_out()) == [4, 5]
    assert polling.reader.unreadable == {}
    assert await polling.hand_out() == []
    assert polling.reader.unreadable[TP].offset == 6


async def test_an_error_of_a_fetch_ahead_is_forgotten_with_what_is_before_it() -> None:
    """The partition may be sought to an offset where there is no error."""
    polling = Polling()
    await polling.poll(Broker(batch_of(3)), most=1)
    await polling.fetch(Broker(code=1))
    polling.state.pause()
    assert await polling.hand_out() == []
    polling.state.resume()
    assert await polling.hand_out() == []
    assert offsets_of(await polling.poll(Broker(batch_of(3)))) == [1, 2]


async def test_what_was_taken_of_another_assignment_says_nothing() -> None:
    """The partition was another's meanwhile, and begins at another offset now."""
    polling = Polling()
    await polling.poll(Broker(batch_of(3)), most=2)
    polling.assignment._unassign()
    polling.assignment = Assignment([TP])
    polling.state = polling.assignment.state_value(TP)
    polling.state.seek(2)
    assert await polling.fetch(Broker(batch_of(3))) == 2
    assert offsets_of(await polling.hand_out()) == [2]


@pytest.mark.parametrize("highwater", [3, 1], ids=["end", "short"])
async def test_a_fetch_ahead_proves_nothing_before_all_was_handed_out(highwater: int) -> None:
    """Else the watermark, and the offset with it, would go past records that nobody has counted."""
    polling = Polling()
    polling.reader.leadership.told(TP, 1, asyncio.get_running_loop().time())
    await polling.poll(Broker(batch_of(3), highwater=3), most=1)
    assert await polling.fetch(Broker(highwater=highwater)) == 3
    assert polling.reader.caught_up == {}
    await polling.hand_out()
    await polling.fetch(Broker(highwater=3))
    assert polling.reader.caught_up == {TP: CaughtUp(5_000, 3)}
