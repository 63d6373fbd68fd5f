"""Changes the inside of aiokafka, all of it here, written against version 0.14.0.

`tests/unit/test_aiokafka_private.py` fails when the library changes under this module. The changes, and why:

- A Reader takes the responses to its fetches apart in this module (`Fetcher._proc_fetch_request`,
  `PartitionRecords._unpack_records`). The library raises the error of one batch to whoever polls, for all partitions,
  again and again. It steps over a batch whose length is wrong. And nobody can tell whether the records that it keeps
  are of one response.
- A Reader takes a whole response over before it parses the records, and the next fetch is sent at once, from where the
  response ends (`_Fetcher`). The library fetches from a partition again once its last record was handed
  out. Its position stays that of what was handed out; where a fetch begins is the Reader's own (`_Fetcher._aim`).
- Records are handed out as the parser gives them, without a dataclass around each. That saves a quarter of the time
  that an event takes. They are handed out many at a time (`FetchResult.getall`), and not one by one.
- A Reader polls by a method of its own, and not through the library's (`AIOKafkaConsumer.getmany`): OpenTelemetry's
  instrumentation wraps that. Its wrapper asks each record for its topic, which ours do not have, makes a span of each,
  and raises an error for a `traceparent` header that is not UTF-8.
- A Reader fetches with a version that leaders alone answer (`LeaderFetch`). The library's newest one is answered by
  followers as well, a former leader among them, whose high watermark may be older than what was acknowledged.
- Header names that are not UTF-8 are read and written as the bytes that they are.
- A client whose stop() was given up is ended (consumers/kafka/stopping.py), as stop() then leaves its tasks and
  connections behind.
- The connection that a client asks first (`AIOKafkaClient.bootstrap`) closes itself if its request is given up, as
  nothing else knows of that connection.
- A Reader raises errors of its group (`GroupCoordinator.check_errors`) to those who do not poll.
- Where no server can be asked, `AIOKafkaClient.bootstrap` says what became of each: the library only logs that, and a
  login that is refused looks like a broker that is away.
"""

import asyncio
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import aiokafka.client
from aiokafka import AIOKafkaClient, AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.consumer.fetcher import (
    READ_COMMITTED,
    READ_UNCOMMITTED,
    Fetcher,
    FetchError,
    FetchResult,
    OffsetResetStrategy,
    PartitionRecords,
)
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
    ReplicaNotAvailableError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.api import Request
from aiokafka.protocol.fetch import (
    FetchRequest,
    FetchRequest_v4,
    FetchRequest_v5,
    FetchRequest_v6,
    FetchRequest_v7,
    FetchRequest_v8,
    FetchRequest_v9,
    FetchRequest_v10,
)
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchBuilderPy, _DefaultRecordBatchPy
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import decode_varint_py

from consumers.kafka.leadership import CaughtUp, Leadership
from service.runtime.trouble import Trouble
from service.store.redis.clock import system_now_ms

_LENGTH_AT, _MAGIC_AT, _LENGTH_FROM = 8, 16, 12  # where a batch holds its length, and from where on that counts
_LEAST_BYTES = {0: 26, 1: 34, 2: 61}  # the size of a batch without a record, by magic
_ANSWERS_SECONDS = 1.0  # a broker that has failed a request within this does not answer again yet
_HAS_MOVED = (
    LeaderNotAvailableError,
    NotLeaderForPartitionError,
    ReplicaNotAvailableError,
    UnknownTopicOrPartitionError,
)

_log = logging.getLogger(__name__)


class HeaderName(str):
    """Holds a header's name that is not UTF-8: its bytes, and a text with a surrogate for each byte that is wrong."""

    raw: bytes

    def __new__(cls, raw: bytes) -> "HeaderName":
        """Makes a name from its bytes."""
        name = super().__new__(cls, raw.decode(errors="surrogateescape"))
        name.raw = raw
        return name

    def encode(self, *_: Any) -> bytes:
        """Returns the bytes that the name was read from."""
        return self.raw


def is_misnamed(headers: Iterable[tuple[str, bytes | None]]) -> bool:
    """Returns whether the name of some header is not UTF-8; such a record is no event, whatever else is in it."""
    return any(isinstance(name, HeaderName) for name, _ in headers)


@dataclass(frozen=True, slots=True)
class MisnamedRecord:
    """Holds a record that has at least one header whose name is a HeaderName."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Says that a partition cannot be read from `offset` on; `cause` is the error of the parser or of the broker."""

    offset: int
    cause: str


class UnreadableError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """Says that a partition cannot be read from an offset on; the text names topic, partition, offset and cause."""


_LeaderVersions = (
    FetchRequest_v4
    | FetchRequest_v5
    | FetchRequest_v6
    | FetchRequest_v7
    | FetchRequest_v8
    | FetchRequest_v9
    | FetchRequest_v10
)


class LeaderFetch(Request[_LeaderVersions]):  # type: ignore[misc]  # aiokafka has no types
    """Sends a fetch in a version before 11, with which followers began to answer consumers (KIP-392)."""

    API_KEY = FetchRequest.API_KEY

    def __init__(self, request: FetchRequest) -> None:
        self._request = request

    def build(self, request_struct_class: Any) -> Any:
        """Returns the fetch in the version that the broker knows. The library calls it."""
        return self._request.build(request_struct_class)


class Reader(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """Reads partitions, and stops only those that cannot be read; it tries these again after `retry_seconds`.

    It adds to `lacking` the partitions of which it passes offsets that have no record, as after compaction.
    """

    def __init__(self, now_ms: Callable[[], int] = system_now_ms, **options: Any) -> None:
        super().__init__(**options)
        self.now_ms = now_ms
        self.retry_seconds = 5.0
        self.caught_up: dict[TopicPartition, CaughtUp] = {}
        self.unreadable: dict[TopicPartition, Unreadable] = {}
        self.lacking: set[TopicPartition] = set()
        self.silent_nodes: defaultdict[int, Trouble] = defaultdict(Trouble)
        self.leadership = Leadership()

    async def start(self) -> None:
        """Connects, and awaits the broker's answers. Raises KafkaError."""
        await super().start()
        self._fetcher.__class__ = _Fetcher  # the fetcher has nothing to fetch yet
        self._fetcher.reader = self
        self._fetcher.taken = {}

    async def getmany(
        self, *tps: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Any]]:
        """Returns records that have been fetched, by partition: of these partitions, or of all that are assigned.

        Waits at most `timeout_ms` for the first. Raises ConsumerStoppedError, and KafkaErrors of the group or a fetch.
        """
        if self._closed:
            raise ConsumerStoppedError
        self._coordinator.check_errors()
        most = max_records or self._max_poll_records
        with self._subscription.fetch_context():
            return await self._fetcher.hand_out(tps or None, timeout_ms / 1000, most or sys.maxsize)  # type: ignore[no-any-return]

    def check_group(self) -> None:
        """Raises the KafkaError that keeps the group from giving us partitions.

        A poll raises it as well, but the worker polls nothing before it has partitions.
        """
        self._coordinator.check_errors()

    def check_readable(self) -> None:
        """Raises UnreadableError if a partition cannot be read; rebuild and replay call it after each poll."""
        for tp, each in self.unreadable.items():
            raise UnreadableError(
                f"partition {tp.partition} of {tp.topic} cannot be read from offset {each.offset} on: {each.cause}"
            )

    def forget(self, tps: Collection[TopicPartition]) -> None:
        """Drops what is known of partitions that are no longer this reader's."""
        self.leadership.lost(tps)
        for tp in tps:
            self.caught_up.pop(tp, None)
            self.unreadable.pop(tp, None)


class _Fetcher(Fetcher):  # type: ignore[misc]
    """Fetches ahead: `taken` has by partition the response whose records are handed out, `_records` the one after it.

    A response that does not begin where the one before it has ended is dropped, and asked for again.
    """

    reader: Reader
    taken: dict[TopicPartition, Any]

    async def hand_out(
        self, partitions: Collection[TopicPartition] | None, within_seconds: float, most: int
    ) -> dict[TopicPartition, list[Any]]:
        """Returns records that have been fetched, of these partitions or of all; waits so long for the first.

        Raises KafkaErrors of the group, or of a fetch.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + within_seconds
        while True:
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
            wanted = self.taken.keys() | self._records.keys() if partitions is None else partitions
            self._raise_error(wanted)
            records = self._drain(wanted, most)
            if records or now() >= deadline:
                return records
            waiter = self._create_fetch_waiter()
            await asyncio.wait([waiter], timeout=deadline - now())
            if self._closed or not waiter.done():
                waiter.cancel()
                return {}
            waiter.result()  # raises an error of the group

    def _raise_error(self, wanted: Collection[TopicPartition]) -> None:
        """Raises the error of a fetch, as soon as everything before it was handed out."""
        for tp, fetched in list(self._records.items()):
            if isinstance(fetched, FetchError) and tp in wanted and tp not in self.taken:
                del self._records[tp]
                self._notify(self._wait_consume_future)
                fetched.check_raise()

    def _drain(self, wanted: Collection[TopicPartition], most: int) -> dict[TopicPartition, list[Any]]:
        drained: defaultdict[TopicPartition, list[Any]] = defaultdict(list)
        while most:
            tp = next((tp for tp in self.taken if tp in wanted), None)
            if tp is None:
                if not self._take(wanted):
                    break
                continue
            records = self.taken[tp].getall(most)
            if not self.taken[tp].has_more():
                del self.taken[tp]
            if records:
                drained[tp] += records
                most -= len(records)
        return drained

    def _take(self, wanted: Collection[TopicPartition]) -> bool:
        """Takes over what was fetched of partitions, and lets the next fetch be sent; returns whether it is anything.

        The records of what was taken before have all been handed out. So two responses at most are in memory.
        """
        fetched = {tp: each for tp, each in self._records.items() if tp in wanted and isinstance(each, FetchResult)}
        for tp in fetched:
            del self._records[tp]
        self.taken |= fetched
        self._notify(self._wait_consume_future)
        return bool(fetched)

    def seek_to(self, tp: TopicPartition, offset: int) -> None:
        """Drops what was fetched, and sets the offset from which to fetch."""
        self.taken.pop(tp, None)
        super().seek_to(tp, offset)

    def request_offset_reset(self, tps: Collection[TopicPartition], strategy: int) -> Any:
        """Drops what was fetched, and has the broker asked for the offset from which to fetch."""
        for tp in tps:
            self.taken.pop(tp, None)
        return super().request_offset_reset(tps, strategy)

    def _next_offset(self, tp: TopicPartition, state: Any) -> int:
        """Returns where the next fetch of a partition begins: after what was taken, or else at the position."""
        taken = self.taken.get(tp)
        if taken is not None and taken.has_more() and taken.check_assignment(tp):
            return taken._partition_records.end_offset  # type: ignore[no-any-return]
        return state.position  # type: ignore[no-any-return]

    def _aim(self, assignment: Any, request: Any) -> dict[TopicPartition, int]:
        """Makes a request fetch from where each partition's next fetch begins, and returns these offsets."""
        offsets, topics = {}, []
        for topic, parts in request.topics:
            aimed = []
            for partition, position, most_bytes in parts:
                tp = TopicPartition(topic, partition)
                state = assignment.state_value(tp)
                offsets[tp] = self._next_offset(tp, state) if state.has_valid_position else position
                aimed.append((partition, offsets[tp], most_bytes))
            topics.append((topic, aimed))
        request._topics = topics
        return offsets

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        """Sends one fetch, and takes its response apart; returns whether there is something to poll."""
        asked_ms = self.reader.now_ms()
        offsets = self._aim(assignment, request)
        leadership, now = self.reader.leadership, asyncio.get_running_loop().time
        trusted = {tp for tp in offsets if leadership.is_trusted(tp, node_id, now())}
        response = await self._send(node_id, LeaderFetch(request))
        if response is None:
            leadership.lost(offsets)
            return False
        if not assignment.active:
            return False
        has_news, at_end = False, []
        for topic, parts in response.topics:
            for partition, code, highwater, stable, *more in parts:
                tp = TopicPartition(topic, partition)
                state = assignment.state_value(tp)
                if not state.has_valid_position or self._next_offset(tp, state) != offsets[tp]:
                    continue  # the partition was sought to another offset meanwhile, or what was taken was dropped
                refusal = for_code(code)
                if refusal is not NoError:
                    has_news |= self._refused(tp, state, offsets[tp], refusal)
                    continue
                state.highwater, state.lso, state.timestamp = highwater, stable, asked_ms
                if tp in trusted:
                    leadership.told(tp, node_id, now())
                if more[-1]:
                    aborted = more[-3] if response.API_VERSION >= 11 else more[-2]
                    self._records[tp] = _Fetched(
                        tp,
                        assignment=assignment,
                        partition_records=self._create_records(tp, state, offsets[tp], more[-1], aborted),
                        backoff=self._prefetch_backoff,
                    )
                    has_news = True
                    continue
                self._go_on(tp)
                is_handed_out = state.position == offsets[tp]  # else records that were taken are left
                if is_handed_out and state.position >= highwater:
                    at_end.append(tp)
        self.reader.caught_up |= {tp: CaughtUp(asked_ms, offsets[tp]) for tp in at_end if tp in trusted}
        await self._ask_ends(node_id, [tp for tp in at_end if tp not in trusted])
        return has_news

    async def _send(self, node_id: int, request: Any) -> Any:
        """Sends a request and returns its response, or None if there is none; awaits a pause after an error."""
        try:
            response = await self._client.send(node_id, request)
        except KafkaError as error:
            fields = self.reader.silent_nodes[node_id].note(type(error).__name__)
            if fields is not None:
                fields |= {"node": node_id, "error": repr(error), "unreached": sorted(unreached)}
                _log.warning("a broker does not answer", extra=fields)
        except asyncio.CancelledError:
            return None  # close() awaits this task, and expects that it is not cancelled
        else:
            if node_id in self.reader.silent_nodes:
                fields = self.reader.silent_nodes[node_id].end(_ANSWERS_SECONDS)
                if fields is not None:
                    _log.info("a broker answers again", extra={"node": node_id, **fields})
            return response
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(self._retry_backoff)
        return None

    async def _ask_ends(self, node_id: int, tps: Sequence[TopicPartition]) -> None:
        """Asks the node for the ends of these partitions; it answers only if it can be trusted, see Leadership."""
        by_topic: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for tp in tps:
            by_topic[tp.topic].append((tp.partition, OffsetResetStrategy.LATEST))
        request = OffsetRequest(-1, READ_UNCOMMITTED, list(by_topic.items()))
        response = await self._send(node_id, request) if tps else None
        if response is not None:
            told = [TopicPartition(topic, some[0]) for topic, parts in response.topics for some in parts if not some[1]]
            for tp in told:
                self.reader.leadership.told(tp, node_id, asyncio.get_running_loop().time())

    def _create_records(self, tp: TopicPartition, state: Any, offset: int, data: bytes, aborted: Any) -> "_Records":
        records = _Records(tp, data, aborted, offset, None, None, self._check_crcs, self._isolation_level)
        records.stop = lambda offset, error: self._stop(tp, state, offset, error)
        records.go_on = lambda: self._go_on(tp)
        records.lack = lambda: self.reader.lacking.add(tp)
        records.end_offset = _end_offset(data, offset)
        return records

    def _refused(self, tp: TopicPartition, state: Any, offset: int, error: type[KafkaError]) -> bool:
        """Notes that the broker gives an error for a partition; returns whether there is something to poll."""
        if error in _HAS_MOVED:
            self.reader.leadership.lost([tp])
            self._client.force_metadata_update()
            return False

        def judge() -> None:
            if not state.has_valid_position or state.position != offset:
                return  # what is before the offset was dropped, or the partition was sought to another one
            if error not in (OffsetOutOfRangeError, TopicAuthorizationFailedError):
                self._stop(tp, state, offset, error())
                return
            self._go_on(tp)
            raise error({tp: offset})

        if tp not in self._records:
            self._records[tp] = _Refusal(judge, self._prefetch_backoff)
        return True

    def _stop(self, tp: TopicPartition, state: Any, offset: int, error: Exception) -> None:
        """Pauses a partition for `retry_seconds`; the other partitions go on."""
        known = self.reader.unreadable.get(tp)
        self.reader.unreadable[tp] = Unreadable(offset, repr(error))
        if known is None or known.offset != offset:
            _log.error(
                "a partition cannot be read from an offset on; it waits there, and is tried again",
                extra={
                    "partition": tp.partition,
                    "offset": offset,
                    "error": repr(error),
                    "retry_seconds": self.reader.retry_seconds,
                },
            )
        state.pause()
        asyncio.get_running_loop().call_later(self.reader.retry_seconds, state.resume)

    def _go_on(self, tp: TopicPartition) -> None:
        known = self.reader.unreadable.pop(tp, None)
        if known is not None:
            _log.info("a partition can be read again", extra={"partition": tp.partition, "offset": known.offset})


class _Refusal(FetchError):  # type: ignore[misc]  # noqa: N818 - it is no exception
    """Stands among what was fetched for the error of a fetch, which is judged once all before it was handed out."""

    def __init__(self, judge: Callable[[], None], backoff: float) -> None:
        super().__init__(error=None, backoff=backoff)
        self.check_raise = judge


class _Fetched(FetchResult):  # type: ignore[misc]
    """Hands out the records of a response, many at a time; the library takes them one by one."""

    _partition_records: "_Records | None"

    def getall(self, max_records: int) -> list[Any]:
        """Returns the next records, at most so many; fewer only if they are the last ones."""
        if not self.check_assignment(self._topic_partition) or self._partition_records is None:
            return []
        records = self._partition_records.take(max_records)
        self._update_position()
        if len(records) < max_records:
            self._partition_records = None
        return records


class _Records(PartitionRecords):  # type: ignore[misc]
    """Has the records of one partition in one response, up to where they can't be read; `_records` are its bytes.

    By the heads of its batches the response ends at `end_offset`, which proves nothing before the batches are read.
    """

    stop: Callable[[int, Exception], None]
    go_on: Callable[[], None]
    lack: Callable[[], None]
    next_fetch_offset: int
    end_offset: int
    _left: Sequence[Any] = ()  # of the batch that was read last

    def take(self, most: int) -> list[Any]:
        """Returns the next records, at most so many, and sets the offset after them; reads no batch before it must."""
        taken: list[Any] = []
        while len(taken) < most:
            self._left = self._left or next(self._records_iterator, ())
            if not self._left:
                break
            some = self._left[: most - len(taken)]
            self._left = self._left[len(some) :]
            taken += some
            self.next_fetch_offset = some[-1].offset + 1
        return taken

    def _unpack_records(self) -> Iterator[Sequence[Any]]:
        """Yields the records of a batch after the other, those from `next_fetch_offset` on, in ascending order."""
        rest, first_offset = memoryview(self._records), self.next_fetch_offset
        while rest:
            try:
                size = _batch_size(rest)
                if size > len(rest) and self.next_fetch_offset > first_offset:
                    return  # cut off by the size of the fetch
                batch = _open_batch(rest[:size], size)
                records = self._read(batch, rest[:size])
            except Exception as error:  # noqa: BLE001 - any error of a parser or a decompressor is about this batch
                self.stop(self.next_fetch_offset, error)
                return
            self.go_on()
            if _lacks_some(batch, records, self.next_fetch_offset):
                self.lack()
            due = _ascending(records or (), self.next_fetch_offset)
            if due:
                yield due
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
            rest = rest[size:]
        if self.next_fetch_offset == first_offset:
            self.stop(first_offset, CorruptRecordException("the batches that came end before this offset"))

    def _read(self, batch: Any, data: memoryview) -> Sequence[Any] | None:
        """Returns the records of a batch, None if it is aborted or a control batch. Raises any error of the parser."""
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException("the checksum is wrong")
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return None
        if batch.is_control_batch:
            return None
        try:
            return list(batch)
        except (UnicodeDecodeError, CorruptRecordException):  # the parser in Python raises the latter for the former
            return [_with_its_names(record) for record in _LenientBatch(data)]


def _ascending(records: Sequence[Any], offset: int) -> Sequence[Any]:
    """Returns the records from an offset on, each only if its own offset is greater than those before it."""
    offsets = [record.offset for record in records]
    if offsets == [*range(offset, offset + len(offsets))]:
        return records
    due = []  # a batch may begin before the offset that was asked for, and lack some since it was compacted
    for record, own in zip(records, offsets, strict=True):
        if own >= offset:
            offset = own + 1
            due.append(record)
    return due


def _lacks_some(batch: Any, records: Sequence[Any] | None, offset: int) -> bool:
    """Returns whether offsets from `offset` on, to the end of the batch, have no record and are no transaction's."""
    if batch.producer_id is None:  # the format of before Kafka 0.11
        return [record.offset for record in records or () if record.offset >= offset] != [
            *range(offset, batch.next_offset)
        ]
    return batch.base_offset > offset or (records is not None and len(records) != batch.next_offset - batch.base_offset)


def _batch_size(data: memoryview) -> int:
    """Returns the length in bytes that the first batch gives itself. Raises CorruptRecordException."""
    if len(data) <= _MAGIC_AT:
        return _MAGIC_AT + 1
    size = _LENGTH_FROM + int.from_bytes(data[_LENGTH_AT:_LENGTH_FROM], signed=True)
    least = _LEAST_BYTES.get(data[_MAGIC_AT])
    if least is None:
        raise CorruptRecordException(f"there is no magic {data[_MAGIC_AT]}")
    if size < least:
        raise CorruptRecordException(f"a batch of {size} bytes, {least} are the least")
    return size


def _end_offset(data: bytes, offset: int) -> int:
    """Returns the offset after the last batch that is there as a whole, or `offset` if there is none."""
    rest = memoryview(data)
    with suppress(CorruptRecordException):
        while rest and (size := _batch_size(rest)) <= len(rest):
            offset = max(offset, _open_batch(rest[:size], size).next_offset)
            rest = rest[size:]
    return offset


def _open_batch(data: memoryview, size: int) -> Any:
    if len(data) < size:
        raise CorruptRecordException(f"a batch of {size} bytes, {len(data)} of them came")
    magic = data[_MAGIC_AT]
    return DefaultRecordBatch(data) if magic >= 2 else LegacyRecordBatch(data, magic)


class _LenientBytes(bytearray):
    def decode(self, *_: Any) -> str:
        try:
            return super().decode()
        except UnicodeDecodeError:
            return HeaderName(bytes(self))


class _LenientBuffer(bytearray):
    def __getitem__(self, key: Any) -> Any:
        item = super().__getitem__(key)
        return _LenientBytes(item) if isinstance(key, slice) else item


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """Parses a batch with the library's parser in Python, which decodes nothing but the names of headers."""

    _buffer: bytearray

    def __iter__(self) -> Iterator[Any]:
        super().__iter__()
        self._buffer = _LenientBuffer(self._buffer)
        return self

    def _read_msg(self, decode_varint: Any = decode_varint_py) -> Any:
        # the one in C reads beyond the buffer where a length is wrong, and may end the process
        return super()._read_msg(decode_varint)


def _with_its_names(record: Any) -> Any:
    if not is_misnamed(record.headers):
        return record
    return MisnamedRecord(record.offset, record.timestamp, record.key, record.value, record.headers)


class _LenientBuilder(BatchBuilder):  # type: ignore[misc]
    def __init__(self, size: int, compression_type: int) -> None:
        super().__init__(size, compression_type)
        self._builder = _DefaultRecordBatchBuilderPy(2, compression_type, 0, -1, -1, 0, size)

    def _set_producer_state(self, *state: int) -> None:
        self._builder.set_producer_state(*state)  # the library's method needs the library's builder if idempotent


def create_batch(producer: AIOKafkaProducer) -> BatchBuilder:
    """Returns a batch for `producer.send_batch` whose headers may have a HeaderName.

    A producer with transactions does not take it.
    """
    accumulator = producer._message_accumulator
    return _LenientBuilder(accumulator._batch_size, accumulator._compression_type)


class BootstrapError(KafkaConnectionError):  # type: ignore[misc]
    """Says that no server could be asked for the brokers; `problems` has the address and the error of each."""

    def __init__(self, problems: Sequence[tuple[str, Exception]]) -> None:
        super().__init__("; ".join(f"{address}: {str(error) or repr(error)}" for address, error in problems))
        self.problems = problems


# The error of each address to which no connection could be made of late, of all clients. It holds few: those that
# brokers advertise, and those of the settings.
unreached: dict[str, Exception] = {}
_MOST_UNREACHED = 100
_problems: ContextVar[list[tuple[str, Exception]]] = ContextVar("problems")


class _FirstConnection(AIOKafkaConnection):  # type: ignore[misc]
    async def send(self, request: Any, expect_response: bool = True) -> Any:
        """Sends a request and returns its response; closes the connection on any error, a cancellation too."""
        try:
            return await super().send(request, expect_response)
        except BaseException as error:
            self.close()
            if isinstance(error, Exception):
                _problems.get([]).append((f"{self.host}:{self.port}", error))
            raise


async def _create_conn(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    is_first = "on_close" not in options  # the client gives `on_close` to its own connections
    try:
        conn = await create_conn(host, port, **options)
    except Exception as error:
        if is_first:
            _problems.get([]).append((f"{host}:{port}", error))
        if len(unreached) < _MOST_UNREACHED:
            unreached[f"{host}:{port}"] = error
        raise
    unreached.pop(f"{host}:{port}", None)
    if is_first:
        conn.__class__ = _FirstConnection
    return conn


async def _bootstrap(client: AIOKafkaClient) -> None:
    problems: list[tuple[str, Exception]] = []
    token = _problems.set(problems)
    try:
        await _library_bootstrap(client)
    except KafkaConnectionError as error:
        raise BootstrapError(problems) from error
    finally:
        _problems.reset(token)


aiokafka.client.create_conn = _create_conn
_library_bootstrap, AIOKafkaClient.bootstrap = AIOKafkaClient.bootstrap, _bootstrap


def connections_of(client: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaClient) -> AIOKafkaClient:
    """Returns the AIOKafkaClient that holds a client's connections."""
    if isinstance(client, AIOKafkaConsumer):
        return client._client
    return client.client if isinstance(client, AIOKafkaProducer) else client


def tasks_of(client: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaClient) -> set[asyncio.Task[Any]]:
    """Returns the tasks that a client still has; fails what a producer has not sent, as one of the tasks awaits it."""
    tasks: list[asyncio.Task[Any] | None] = []
    if isinstance(client, AIOKafkaConsumer):
        names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
        tasks += [getattr(client._coordinator, name, None) for name in names]
        if client._fetcher is not None:
            tasks += [client._fetcher._fetch_task, *client._fetcher._pending_tasks]
    elif isinstance(client, AIOKafkaProducer):
        client._message_accumulator.fail_all(KafkaConnectionError("the producer was stopped"))
        tasks.append(client._sender.sender_task)
    return {task for task in tasks if task is not None and not task.done()}
