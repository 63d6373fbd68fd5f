"""Answers Produce: checks a batch as Kafka does, appends it, and waits until it is safe if the producer wants that."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka.protocol.produce import ProduceRequest_v5, ProduceRequest_v6, ProduceRequest_v7

from tests.simulation.kafka.batches import Batch, InvalidBatchError, SeveralBatchesError, parse
from tests.simulation.kafka.codes import (
    CORRUPT_MESSAGE,
    INVALID_RECORD,
    INVALID_TIMESTAMP,
    INVALID_TXN_STATE,
    MESSAGE_TOO_LARGE,
    NONE,
    NOT_ENOUGH_REPLICAS,
    NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    REQUEST_TIMED_OUT,
)
from tests.simulation.kafka.compaction import has_all_keys
from tests.simulation.kafka.configs import setting
from tests.simulation.kafka.replica import Replica
from tests.simulation.kafka.wire import Api

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

_MAX_AHEAD_MS = 3_600_000
_ALL, _NO_REPLY = -1, 0


@dataclass(slots=True)
class _Appended:
    """Says what became of a batch: where it lies, and before which offset all must be safe for an answer."""

    partition: int
    code: int = NONE
    base: int = -1
    timestamp_ms: int = -1
    start: int = -1
    replica: Replica | None = None
    safe_at: int = 0


def produce(node: "Node", request: Any) -> Any:
    """Appends one batch to each partition, and answers as the producer's acks demand."""
    results = []
    for name, partitions in request.topics:
        some = [_append(node, name, number, data, request) for number, data in partitions]
        results.append((name, some))
    if request.required_acks == _NO_REPLY:
        return None
    waiting = [each for _, some in results for each in some if each.replica is not None]
    if request.required_acks != _ALL or not [each for each in waiting if not _is_safe(node, each)]:
        return _respond(request, results)
    return _Waiting(node, request, results, waiting).done


class _RefusedError(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


def _append(node: "Node", name: str, number: int, data: bytes, request: Any) -> _Appended:
    replica = node.lead(name, number)
    if replica is None:
        return _Appended(number, node.absence(name, number))
    if request.required_acks == _ALL and not replica.has_enough_in_sync:
        return _Appended(number, NOT_ENOUGH_REPLICAS)
    configs = node.image.topics[name].configs
    append_ms = node.model.now_ms() if setting(configs, "message.timestamp.type") == "LogAppendTime" else None
    try:
        batch = _parse(node, data, configs)
        known = replica.producers.duplicate(batch)
        if known is None:
            _check_producer(node, replica, batch)
            known = replica.append(batch, append_ms)
            node.model.replication.followers_fetch(replica)
    except _RefusedError as refused:
        return _Appended(number, refused.code)
    timestamp_ms = -1 if append_ms is None else known.max_timestamp_ms
    return _Appended(number, NONE, known.base, timestamp_ms, replica.log.start, replica, known.last + 1)


def _parse(node: "Node", data: bytes, configs: Mapping[str, str]) -> Batch:
    if len(data) > int(setting(configs, "max.message.bytes")):
        raise _RefusedError(MESSAGE_TOO_LARGE)
    try:
        batch = parse(data)
    except InvalidBatchError as error:
        raise _RefusedError(CORRUPT_MESSAGE) from error
    except SeveralBatchesError as error:
        raise _RefusedError(INVALID_RECORD) from error
    if batch.base != 0 or batch.is_control or batch.records != batch.last - batch.base + 1 or batch.records < 1:
        raise _RefusedError(INVALID_RECORD)
    is_created = setting(configs, "message.timestamp.type") == "CreateTime"
    if is_created and batch.max_timestamp_ms > node.model.now_ms() + _MAX_AHEAD_MS:
        raise _RefusedError(INVALID_TIMESTAMP)
    if "compact" in setting(configs, "cleanup.policy") and not has_all_keys(batch):
        raise _RefusedError(INVALID_RECORD)
    return batch


def _check_producer(node: "Node", replica: Replica, batch: Batch) -> None:
    code = replica.producers.check(batch)
    if code:
        raise _RefusedError(code)
    is_open = batch.producer_id in replica.producers.open
    if batch.is_transactional:
        is_open = is_open or node.model.transactions.has(batch.producer_id, batch.producer_epoch, replica.key)
    if batch.is_transactional != is_open:
        raise _RefusedError(INVALID_TXN_STATE)


def _is_safe(node: "Node", each: _Appended) -> bool:
    """Returns whether a batch needs no more waiting; notes the code that it is answered with."""
    replica = each.replica
    assert replica is not None
    if not replica.leads or node.replicas.get(replica.key) is not replica:
        each.code = node.absence(*replica.key)
        return True
    if replica.high_watermark < each.safe_at:
        return False
    each.code = NONE if replica.has_enough_in_sync else NOT_ENOUGH_REPLICAS_AFTER_APPEND
    return True


def _respond(request: Any, results: list[tuple[str, list[_Appended]]]) -> Any:
    topics = []
    for name, some in results:
        answers = [
            (each.partition, each.code, -1 if each.code else each.base, each.timestamp_ms, each.start) for each in some
        ]
        topics.append((name, answers))
    return request.RESPONSE_TYPE(topics, 0)


class _Waiting:
    """Waits until all batches of a request are safe, or its time is over."""

    def __init__(self, node: "Node", request: Any, results: Any, waiting: list[_Appended]) -> None:
        self._node = node
        self._request = request
        self._results = results
        self._waiting = waiting
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._timer = node.call_later(request.timeout / 1000, self._give_up)
        self._replicas = [each.replica for each in waiting if each.replica is not None]
        for replica in self._replicas:
            replica.watchers[self._look] = None
        self.done.add_done_callback(self._end)

    def _look(self) -> None:
        self._waiting = [each for each in self._waiting if not _is_safe(self._node, each)]
        if not self._waiting:
            self._finish()

    def _give_up(self) -> None:
        for each in self._waiting:
            if not _is_safe(self._node, each):
                each.code = REQUEST_TIMED_OUT
        self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(_respond(self._request, self._results))

    def _end(self, _: "asyncio.Future[Any]") -> None:
        self._timer.cancel()
        for replica in self._replicas:
            replica.watchers.pop(self._look, None)


APIS = (Api((ProduceRequest_v5, ProduceRequest_v6, ProduceRequest_v7), produce),)
