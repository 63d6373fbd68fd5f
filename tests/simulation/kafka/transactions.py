"""Gives producers their ids, and coordinates transactions: who writes where, and the markers that end it.

What it knows is safe whichever nodes fail, as with Kafka, where it lies in a topic of three replicas. But while a
transactional id has no coordinator nothing happens with it.
"""

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tests.simulation.kafka.batches import build_marker
from tests.simulation.kafka.codes import (
    CONCURRENT_TRANSACTIONS,
    INVALID_PRODUCER_EPOCH,
    INVALID_PRODUCER_ID_MAPPING,
    INVALID_TXN_STATE,
    NONE,
)
from tests.simulation.kafka.coordinators import TRANSACTIONS, partition_of
from tests.simulation.kafka.replica import Replica

if TYPE_CHECKING:
    from tests.simulation.kafka.cluster import Cluster

_MARKER_SECONDS = 0.005
_RETRY_SECONDS = 0.1
_LOOK_SECONDS = 0.01
Key = tuple[str, int]


class State(Enum):
    """Says where the last transaction of an id is."""

    EMPTY = "empty"
    OPEN = "open"
    COMMITTING = "committing"
    ABORTING = "aborting"
    COMMITTED = "committed"
    ABORTED = "aborted"


_ENDING = (State.COMMITTING, State.ABORTING)


@dataclass(slots=True, eq=False)
class Transaction:
    """Holds what is known of a transactional id."""

    name: str
    producer_id: int
    epoch: int
    timeout_ms: int
    state: State = State.EMPTY
    partitions: dict[Key, bytes] = field(default_factory=dict)
    """The id of the topic by partition."""
    number: int = 0


class Transactions:
    """Knows all producers that write in transactions."""

    def __init__(self, model: "Cluster") -> None:
        self._model = model
        self._last_producer = 0
        self._by_name: dict[str, Transaction] = {}
        self._by_producer: dict[int, Transaction] = {}

    def has(self, producer_id: int, producer_epoch: int, key: Key) -> bool:
        """Returns whether a partition was added to the open transaction of a producer."""
        known = self._by_producer.get(producer_id)
        is_open = known is not None and known.state is State.OPEN and known.epoch == producer_epoch
        return is_open and known is not None and key in known.partitions

    def next_producer(self) -> int:
        """Returns the id of one more producer."""
        self._last_producer += 1
        return self._last_producer

    def start(self, name: str, timeout_ms: int) -> tuple[int, Transaction | None]:
        """Begins a new life of a transactional id: returns a code, and what is known of the id if that is NONE.

        A transaction that another producer left open is aborted first, and the producer is told to come again.
        """
        known = self._by_name.get(name)
        if known is None:
            known = self._by_name[name] = Transaction(name, self.next_producer(), -1, timeout_ms)
            self._by_producer[known.producer_id] = known
        if known.state is State.OPEN:
            known.epoch += 1
            self._end(known, State.ABORTING)
        if known.state in _ENDING:
            return CONCURRENT_TRANSACTIONS, None
        known.epoch += 1
        known.timeout_ms, known.state = timeout_ms, State.EMPTY
        return NONE, known

    def _check(self, name: str, producer_id: int, epoch: int) -> tuple[int, Transaction | None]:
        known = self._by_name.get(name)
        if known is None or known.producer_id != producer_id:
            return INVALID_PRODUCER_ID_MAPPING, None
        return (INVALID_PRODUCER_EPOCH, None) if known.epoch != epoch else (NONE, known)

    def add(self, name: str, producer_id: int, epoch: int, keys: dict[Key, bytes]) -> int:
        """Adds partitions to the transaction of a producer, which it opens if need be; returns a code."""
        code, known = self._check(name, producer_id, epoch)
        if known is None:
            return code
        if known.state in _ENDING:
            return CONCURRENT_TRANSACTIONS
        if known.state is not State.OPEN:
            known.state = State.OPEN
            known.number += 1
            seconds = known.timeout_ms / 1000
            asyncio.get_running_loop().call_later(seconds, self._time_out, known, known.number)
        known.partitions |= keys
        return NONE

    def end(self, name: str, producer_id: int, epoch: int, commits: bool) -> int:
        """Ends the transaction of a producer; returns a code. What it did can be read once its markers are written."""
        code, known = self._check(name, producer_id, epoch)
        if known is None:
            return code
        if known.state is State.OPEN:
            self._end(known, State.COMMITTING if commits else State.ABORTING)
            return NONE
        if known.state is (State.COMMITTED if commits else State.ABORTED):
            return NONE
        return CONCURRENT_TRANSACTIONS if known.state in _ENDING else INVALID_TXN_STATE

    def _time_out(self, known: Transaction, number: int) -> None:
        if known.state is State.OPEN and known.number == number:
            known.epoch += 1
            self._end(known, State.ABORTING)

    def _end(self, known: Transaction, state: State) -> None:
        known.state = state
        for key in known.partitions:
            self._later(_MARKER_SECONDS * self._model.rnd.random(), known, key)

    def _later(self, seconds: float, known: Transaction, key: Key) -> None:
        asyncio.get_running_loop().call_later(seconds, self._mark, known, key)

    def _mark(self, known: Transaction, key: Key) -> None:
        """Writes a marker to a partition, again and again until it is safe."""
        topic = self._model.controller.image.topics.get(key[0])
        if topic is None or topic.topic_id != known.partitions[key]:
            self._marked(known, key)
            return
        coordinator = self._model.controller.image.topics[TRANSACTIONS].partitions[partition_of(known.name)].leader
        leader = self._model.leader(*key)
        if leader is None or not self._model.is_running(coordinator):
            self._later(_RETRY_SECONDS, known, key)
            return
        is_commit = known.state is State.COMMITTING
        marker = build_marker(is_commit, known.producer_id, known.epoch, self._model.now_ms())
        placed = leader.append(marker, None)
        self._model.replication.followers_fetch(leader)
        self._look(known, key, leader, placed.last)

    def _look(self, known: Transaction, key: Key, leader: Replica, offset: int) -> None:
        """Waits until a marker is safe; if the leader has changed it may be lost, and is written anew."""
        if leader.high_watermark > offset:
            self._marked(known, key)
        elif self._model.leader(*key) in {leader, None}:
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look, known, key, leader, offset)
        else:
            self._mark(known, key)

    @staticmethod
    def _marked(known: Transaction, key: Key) -> None:
        known.partitions.pop(key, None)
        if not known.partitions:
            known.state = State.COMMITTED if known.state is State.COMMITTING else State.ABORTED
