"""Answers Fetch (versions 10 and 11), the request that is asked most: taken apart and put together by hand for speed.

Followers answer version 11 of consumers as well, by what they know (KIP-392). Version 10 only leaders answer.
"""

import asyncio
import struct
from collections.abc import Set
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.protocol.fetch import FetchRequest_v10, FetchRequest_v11

from tests.simulation.kafka.codes import (
    CORRUPT_MESSAGE,
    FENCED_LEADER_EPOCH,
    NONE,
    NOT_LEADER,
    OFFSET_OUT_OF_RANGE,
    UNKNOWN_LEADER_EPOCH,
)
from tests.simulation.kafka.log import DamagedLogError
from tests.simulation.kafka.replica import READ_COMMITTED, Replica
from tests.simulation.kafka.wire import Api

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

_REQUEST = struct.Struct(">iiiibiii")
_PARTITION = struct.Struct(">iiqqi")
_RESPONSE = struct.Struct(">ihii")
_STATE = struct.Struct(">ihqqqi")
_ABORTED = struct.Struct(">qq")
_RECORDS = struct.Struct(">ii")
_COUNT = struct.Struct(">i")
_ANY_EPOCH = -1
_ANY_REPLICA = -1
_NO_LIST = -1


class _RefusedError(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class _Asked(NamedTuple):
    key: tuple[str, int]
    epoch: int
    offset: int
    most_bytes: int


class _Fetch(NamedTuple):
    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    isolation: int
    topics: tuple[tuple[bytes, tuple[_Asked, ...]], ...]
    is_for_leaders: bool


def _decode(frame: bytes, at: int) -> _Fetch:
    return _decode_body(frame[at:], is_for_leaders=False)


def _decode_for_leaders(frame: bytes, at: int) -> _Fetch:
    return _decode_body(frame[at:], is_for_leaders=True)


@lru_cache(maxsize=1_000)  # an idle consumer asks the same again and again
def _decode_body(body: bytes, *, is_for_leaders: bool) -> _Fetch:
    _, max_wait_ms, min_bytes, max_bytes, isolation, _, _, count = _REQUEST.unpack_from(body)
    at, topics = _REQUEST.size, []
    for _ in range(count):
        start, at = at, at + 2 + int.from_bytes(body[at : at + 2])
        encoded, name = body[start:at], body[start + 2 : at].decode()
        (partitions,) = _COUNT.unpack_from(body, at)
        asked = []
        for _ in range(partitions):
            number, epoch, offset, _, most_bytes = _PARTITION.unpack_from(body, at + 4)
            at += _PARTITION.size
            asked.append(_Asked((name, number), epoch, offset, most_bytes))
        at += 4
        topics.append((encoded, tuple(asked)))
    return _Fetch(max_wait_ms, min_bytes, max_bytes, isolation, tuple(topics), is_for_leaders)


class _Read(NamedTuple):
    response: bytes
    data_bytes: int
    failed: list[tuple[str, int]]


def fetch(node: "Node", request: _Fetch) -> "bytes | asyncio.Future[bytes]":
    """Answers at once if there are `min_bytes`, or an error, and else when there are, or after `max_wait_ms`.

    A partition that is not known is no reason to answer, unless there is no other.
    """
    read = _read(node, request)
    unknown = {key for key in read.failed if not node.knows(*key)} if read.failed else frozenset()
    asked = sum(len(partitions) for _, partitions in request.topics)
    if request.max_wait_ms <= 0 or len(unknown) == asked or _is_enough(request, read, unknown):
        return read.response
    return _Waiting(node, request, read.response, unknown).done


def _is_enough(request: _Fetch, read: _Read, unknown: Set[tuple[str, int]]) -> bool:
    return read.data_bytes >= request.min_bytes or any(key not in unknown for key in read.failed)


def _read(node: "Node", request: _Fetch) -> _Read:
    """Reads what a fetch asks for; the order of the partitions decides which get a share of `max_bytes`."""
    most = min(request.max_bytes, node.model.fetch_max_bytes)
    left, is_first, failed = most, True, []
    parts = [_RESPONSE.pack(0, NONE, 0, len(request.topics))]
    for name, partitions in request.topics:
        parts += name, _COUNT.pack(len(partitions))
        for asked in partitions:
            try:
                replica = _find(node, asked, request.is_for_leaders)
                before = replica.end_for(request.isolation)
                data = replica.log.read(asked.offset, before, min(asked.most_bytes, left), is_first)
            except _RefusedError as refused:
                failed.append(asked.key)
                parts.append(_refuse(asked, refused.code, request.is_for_leaders))
                continue
            except DamagedLogError:
                failed.append(asked.key)
                parts.append(_refuse(asked, CORRUPT_MESSAGE, request.is_for_leaders))
                continue
            if data:
                is_first = False
                left = max(0, left - len(data))
            parts += _partition(replica, asked, request.isolation), _length(len(data), request.is_for_leaders), data
    return _Read(b"".join(parts), most - left, failed)


def _find(node: "Node", asked: _Asked, is_for_leaders: bool) -> Replica:
    replica = node.replicas.get(asked.key)
    if replica is None:
        raise _RefusedError(node.absence(*asked.key))
    if is_for_leaders and not replica.leads:
        raise _RefusedError(NOT_LEADER)
    if asked.epoch not in {_ANY_EPOCH, replica.image.epoch}:
        raise _RefusedError(FENCED_LEADER_EPOCH if asked.epoch < replica.image.epoch else UNKNOWN_LEADER_EPOCH)
    if not replica.log.start <= asked.offset <= replica.log.end:
        raise _RefusedError(OFFSET_OUT_OF_RANGE)
    return replica


def _length(size_bytes: int, is_for_leaders: bool) -> bytes:
    return _COUNT.pack(size_bytes) if is_for_leaders else _RECORDS.pack(_ANY_REPLICA, size_bytes)


def _refuse(asked: _Asked, code: int, is_for_leaders: bool) -> bytes:
    return _STATE.pack(asked.key[1], code, -1, -1, -1, _NO_LIST) + _length(0, is_for_leaders)


def _partition(replica: Replica, asked: _Asked, isolation: int) -> bytes:
    stable = replica.end_for(READ_COMMITTED)
    aborted = replica.producers.aborted_from(asked.offset) if isolation == READ_COMMITTED else None
    count = _NO_LIST if aborted is None else len(aborted)
    state = _STATE.pack(asked.key[1], NONE, replica.high_watermark, stable, replica.log.start, count)
    if not aborted:
        return state
    return state + b"".join(_ABORTED.pack(each.producer_id, each.first) for each in aborted)


class _Waiting:
    """Waits until a fetch is worth an answer, or its time is over."""

    def __init__(self, node: "Node", request: _Fetch, response: bytes, unknown: Set[tuple[str, int]]) -> None:
        self._node = node
        self._request = request
        self._unknown = unknown
        self._response = response  # it stays right until a watcher is called
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._timer = node.call_later(request.max_wait_ms / 1000, self._give_up)
        keys = [asked.key for _, partitions in request.topics for asked in partitions]
        self._replicas = [node.replicas[key] for key in keys if key not in unknown]
        for replica in self._replicas:
            replica.watchers[self._look] = None
        self.done.add_done_callback(self._end)

    def _look(self) -> None:
        if self.done.done():
            return
        read = _read(self._node, self._request)
        self._response = read.response
        if _is_enough(self._request, read, self._unknown):
            self._give_up()

    def _give_up(self) -> None:
        if not self.done.done():
            self.done.set_result(self._response)

    def _end(self, _: "asyncio.Future[bytes]") -> None:
        self._timer.cancel()
        for replica in self._replicas:
            replica.watchers.pop(self._look, None)


APIS = (Api((FetchRequest_v10,), fetch, _decode_for_leaders), Api((FetchRequest_v11,), fetch, _decode))
