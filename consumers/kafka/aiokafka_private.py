"""What is done to the inside of aiokafka, all of it, read against version 0.14.0.

`tests/unit/test_aiokafka_private.py` fails when the library changes under this module. What is done, and why:

- A consumer takes the responses to its fetches apart here (`Fetcher._proc_fetch_request`,
  `PartitionRecords._unpack_records`). The library raises what it meets in one batch to whoever polls, for all
  partitions, again and again; it steps over a batch whose length is wrong; and of what it keeps nobody can tell
  whether it is of one response.
- Records are handed out as the parser gives them, without a dataclass around each: a quarter of an event's time.
- Header names that are not UTF-8 are read and written as the bytes that they are.
- A client whose stop() was given up is ended (consumers/kafka/stopping.py): stop() leaves its tasks and connections
  behind.
- The connection that a client asks first closes itself if that is given up (`AIOKafkaClient.bootstrap`): nobody else
  knows of it.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiokafka.client
from aiokafka import AIOKafkaClient, AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.consumer.fetcher import (
    READ_COMMITTED,
    READ_UNCOMMITTED,
    Fetcher,
    FetchResult,
    OffsetResetStrategy,
    PartitionRecords,
)
from aiokafka.errors import (
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
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchBuilderPy, _DefaultRecordBatchPy
from aiokafka.record.legacy_records import LegacyRecordBatch

from consumers.kafka.leadership import CaughtUp, Leadership
from service.store.redis.clock import system_now_ms

_LENGTH_AT, _MAGIC_AT, _LENGTH_FROM = 8, 16, 12  # where a batch says how long it is, counted from where on
_LEAST_BYTES = {0: 26, 1: 34, 2: 61}  # of a batch without a record, by magic
_HAS_MOVED = (
    LeaderNotAvailableError,
    NotLeaderForPartitionError,
    ReplicaNotAvailableError,
    UnknownTopicOrPartitionError,
)

_log = logging.getLogger(__name__)


class HeaderName(str):
    """A header's name that is not UTF-8: its bytes, and a text with a surrogate for each that is wrong."""

    raw: bytes

    def __new__(cls, raw: bytes) -> "HeaderName":
        """From the bytes."""
        name = super().__new__(cls, raw.decode(errors="surrogateescape"))
        name.raw = raw
        return name

    def encode(self, *_: Any) -> bytes:
        """The bytes as they were."""
        return self.raw


def is_misnamed(headers: Iterable[tuple[str, bytes | None]]) -> bool:
    """Whether some header's name is not UTF-8: the record is no event, whatever its key and value are."""
    return any(isinstance(name, HeaderName) for name, _ in headers)


@dataclass(frozen=True, slots=True)
class MisnamedRecord:
    """A record with headers of which some name is a HeaderName."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What the broker holds from `offset` on can't be taken apart, or the broker can't read it; `cause` says why."""

    offset: int
    cause: str


class UnreadableError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """A partition cannot be read from an offset on: the text names topic, partition, offset and cause."""


class Reader(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """A consumer whose partitions stop alone where they cannot be read, and are tried again after `retry_seconds`."""

    def __init__(self, now_ms: Callable[[], int] = system_now_ms, **options: Any) -> None:
        super().__init__(**options)
        self.now_ms = now_ms
        self.retry_seconds = 5.0
        self.caught_up: dict[TopicPartition, CaughtUp] = {}
        self.unreadable: dict[TopicPartition, Unreadable] = {}
        self.silent_nodes: set[int] = set()
        self.leadership = Leadership()

    async def start(self) -> None:
        """Connects. Raises KafkaError."""
        await super().start()
        self._fetcher.__class__ = _Fetcher  # it has nothing to fetch yet
        self._fetcher.reader = self

    def check_readable(self) -> None:
        """Raises UnreadableError if one of the partitions cannot be read."""
        for tp, each in self.unreadable.items():
            raise UnreadableError(
                f"partition {tp.partition} of {tp.topic} cannot be read from offset {each.offset} on: {each.cause}"
            )

    def forget(self, tps: Collection[TopicPartition]) -> None:
        """Drops what is known of partitions that are no longer this consumer's."""
        self.leadership.lost(tps)
        for tp in tps:
            self.caught_up.pop(tp, None)
            self.unreadable.pop(tp, None)


class _Fetcher(Fetcher):  # type: ignore[misc]
    reader: Reader

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        """Sends one fetch, and takes its response apart; returns whether there is something to poll."""
        asked_ms = self.reader.now_ms()
        offsets = {TopicPartition(topic, some[0]): some[1] for topic, parts in request.topics for some in parts}
        leadership, now = self.reader.leadership, asyncio.get_running_loop().time
        trusted = {tp for tp in offsets if leadership.is_trusted(tp, node_id, now())}
        response = await self._send(node_id, request)
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
                if not state.has_valid_position or state.position != offsets[tp]:
                    continue  # it was sought elsewhere meanwhile
                refusal = for_code(code)
                if refusal is not NoError:
                    has_news |= self._refused(tp, state, refusal)
                    continue
                state.highwater, state.lso, state.timestamp = highwater, stable, asked_ms
                if tp in trusted:
                    leadership.told(tp, node_id, now())
                if more[-1]:
                    aborted = more[-3] if response.API_VERSION >= 11 else more[-2]
                    self._records[tp] = FetchResult(
                        tp,
                        assignment=assignment,
                        partition_records=self._create_records(tp, state, more[-1], aborted),
                        backoff=self._prefetch_backoff,
                    )
                    has_news = True
                    continue
                self._go_on(tp)
                if state.position >= highwater:
                    at_end.append(tp)
        self.reader.caught_up |= {tp: CaughtUp(asked_ms, offsets[tp]) for tp in at_end if tp in trusted}
        await self._ask_ends(node_id, [tp for tp in at_end if tp not in trusted])
        return has_news

    async def _send(self, node_id: int, request: Any) -> Any:
        """The response; None if there is none."""
        try:
            response = await self._client.send(node_id, request)
        except KafkaError as error:
            if node_id not in self.reader.silent_nodes:
                self.reader.silent_nodes.add(node_id)
                _log.warning("a broker does not answer", extra={"node": node_id, "error": repr(error)})
        except asyncio.CancelledError:
            return None  # close() awaits this task, and expects no cancellation
        else:
            self.reader.silent_nodes.discard(node_id)
            return response
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(self._retry_backoff)
        return None

    async def _ask_ends(self, node_id: int, tps: Sequence[TopicPartition]) -> None:
        """Asks the node for the ends of these partitions: it tells them only if it can be trusted, see Leadership."""
        by_topic: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for tp in tps:
            by_topic[tp.topic].append((tp.partition, OffsetResetStrategy.LATEST))
        request = OffsetRequest(-1, READ_UNCOMMITTED, list(by_topic.items()))
        response = await self._send(node_id, request) if tps else None
        if response is not None:
            told = [TopicPartition(topic, some[0]) for topic, parts in response.topics for some in parts if not some[1]]
            for tp in told:
                self.reader.leadership.told(tp, node_id, asyncio.get_running_loop().time())

    def _create_records(self, tp: TopicPartition, state: Any, data: bytes, aborted: Any) -> "_Records":
        records = _Records(tp, data, aborted, state.position, None, None, self._check_crcs, self._isolation_level)
        records.stop = lambda offset, error: self._stop(tp, state, offset, error)
        records.go_on = lambda: self._go_on(tp)
        return records

    def _refused(self, tp: TopicPartition, state: Any, error: type[KafkaError]) -> bool:
        """Takes in that the broker gives an error for a partition; returns whether there is something to poll."""
        if error in _HAS_MOVED:
            self.reader.leadership.lost([tp])
            self._client.force_metadata_update()
        elif error in (OffsetOutOfRangeError, TopicAuthorizationFailedError):
            self._go_on(tp)
            if tp not in self._records:
                self._set_error(tp, error({tp: state.position}))
            return True
        else:
            self._stop(tp, state, state.position, error())
        return False

    def _stop(self, tp: TopicPartition, state: Any, offset: int, error: Exception) -> None:
        """Lets a partition rest for a while; the others go on."""
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


class _Records(PartitionRecords):  # type: ignore[misc]
    """The records of one partition in one response, up to where they cannot be read; `_records` are its bytes."""

    stop: Callable[[int, Exception], None]
    go_on: Callable[[], None]
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Any]:
        rest, first_offset = memoryview(self._records), self.next_fetch_offset
        while rest:
            try:
                size = _batch_size(rest)
                if size > len(rest) and self.next_fetch_offset > first_offset:
                    return  # cut off by the size of the fetch
                batch = _open_batch(rest[:size], size)
                records = self._read(batch, rest[:size])
            except Exception as error:  # noqa: BLE001 - whatever a parser or a decompressor raises is about this batch
                self.stop(self.next_fetch_offset, error)
                return
            self.go_on()
            for record in records:
                if record.offset >= self.next_fetch_offset:  # a batch may begin before the offset that was asked for
                    self.next_fetch_offset = record.offset + 1
                    yield record
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
            rest = rest[size:]
        if self.next_fetch_offset == first_offset:
            self.stop(first_offset, CorruptRecordException("the batches that came end before this offset"))

    def _read(self, batch: Any, data: memoryview) -> Sequence[Any]:
        """The records of a batch that count. Raises whatever it meets."""
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException("the checksum is wrong")
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return ()
        if batch.is_control_batch:
            return ()
        try:
            return list(batch)
        except (UnicodeDecodeError, CorruptRecordException):  # the latter is what the parser in Python makes of it
            return [_with_its_names(record) for record in _LenientBatch(data)]


def _batch_size(data: memoryview) -> int:
    """How long the first batch says it is. Raises CorruptRecordException."""
    if len(data) <= _MAGIC_AT:
        return _MAGIC_AT + 1
    size = _LENGTH_FROM + int.from_bytes(data[_LENGTH_AT:_LENGTH_FROM], signed=True)
    least = _LEAST_BYTES.get(data[_MAGIC_AT])
    if least is None:
        raise CorruptRecordException(f"there is no magic {data[_MAGIC_AT]}")
    if size < least:
        raise CorruptRecordException(f"a batch of {size} bytes, {least} are the least")
    return size


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
    """The library's parser in Python, which decodes nothing but the names of headers."""

    _buffer: bytearray

    def __iter__(self) -> Iterator[Any]:
        super().__iter__()
        self._buffer = _LenientBuffer(self._buffer)
        return self


def _with_its_names(record: Any) -> Any:
    if not is_misnamed(record.headers):
        return record
    return MisnamedRecord(record.offset, record.timestamp, record.key, record.value, record.headers)


class _LenientBuilder(BatchBuilder):  # type: ignore[misc]
    def __init__(self, size: int, compression_type: int) -> None:
        super().__init__(size, compression_type)
        self._builder = _DefaultRecordBatchBuilderPy(2, compression_type, 0, -1, -1, 0, size)

    def _set_producer_state(self, *state: int) -> None:
        self._builder.set_producer_state(*state)  # the library's own wants its own builder for an idempotent producer


def create_batch(producer: AIOKafkaProducer) -> BatchBuilder:
    """A batch for `producer.send_batch` whose headers may have a HeaderName. No producer with transactions takes it."""
    accumulator = producer._message_accumulator
    return _LenientBuilder(accumulator._batch_size, accumulator._compression_type)


class _FirstConnection(AIOKafkaConnection):  # type: ignore[misc]
    async def send(self, request: Any, expect_response: bool = True) -> Any:
        """The response. Whatever is raised instead, a cancellation too, the connection is closed."""
        try:
            return await super().send(request, expect_response)
        except BaseException:
            self.close()
            raise


async def _create_conn(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    conn = await create_conn(host, port, **options)
    if "on_close" not in options:  # the client's own ones have it
        conn.__class__ = _FirstConnection
    return conn


aiokafka.client.create_conn = _create_conn


def connections_of(client: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaClient) -> AIOKafkaClient:
    """What has the connections of a client."""
    if isinstance(client, AIOKafkaConsumer):
        return client._client
    return client.client if isinstance(client, AIOKafkaProducer) else client


def tasks_of(client: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaClient) -> set[asyncio.Task[Any]]:
    """The tasks that a client still has; what a producer has not sent fails, as one of its tasks waits for that."""
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
