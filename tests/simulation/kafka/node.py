"""One node of the cluster: its connections, its replicas, and what it was told by the controller."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from tests.simulation.kafka.codes import NOT_LEADER, UNKNOWN_TOPIC_OR_PARTITION
from tests.simulation.kafka.image import Image, TopicImage
from tests.simulation.kafka.replica import Replica

if TYPE_CHECKING:
    from tests.simulation.kafka.cluster import Cluster
    from tests.simulation.kafka.wire import Connection


class State(Enum):
    """What a node does."""

    RUNNING = "running"
    HUNG = "hung"
    DOWN = "down"


class Node:
    """Serves clients at (host, port) by what it knows: its replicas, and the image that it was told of last."""

    def __init__(self, model: "Cluster", number: int, host: str, port: int, image: Image) -> None:
        self.model = model
        self.number = number
        self.host = host
        self.port = port
        self.image = image
        self.state = State.RUNNING
        self.connections: dict[Connection, None] = {}
        self.replicas: dict[tuple[str, int], Replica] = {}
        self.answers: dict[tuple[bytes, bytes], bytes] = {}  # to what was asked since it has this image, see wire.py
        self._put_off: list[Callable[[], None]] = []

    @property
    def is_running(self) -> bool:
        """Returns whether the node does anything now."""
        return self.state is State.RUNNING

    @property
    def is_up(self) -> bool:
        """Returns whether the node takes connections, as one that hangs does."""
        return self.state is not State.DOWN

    def when_running(self, action: Callable[[], None]) -> None:
        """Does something now, or when the node wakes if it hangs; a node that is down never does it."""
        if self.is_running:
            action()
        elif self.state is State.HUNG:
            self._put_off.append(action)

    def call_later(self, seconds: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        """Does something after some time, but not while the node hangs."""
        return asyncio.get_running_loop().call_later(seconds, self.when_running, action)

    def lead(self, name: str, partition: int) -> Replica | None:
        """Returns the replica of a partition if this node takes itself for its leader."""
        replica = self.replicas.get((name, partition))
        return replica if replica is not None and replica.leads else None

    def knows(self, name: str, partition: int) -> bool:
        """Returns whether there is such a partition, as far as the node was told."""
        topic = self.image.topics.get(name)
        return topic is not None and 0 <= partition < len(topic.partitions)

    def absence(self, name: str, partition: int) -> int:
        """Returns the code for a partition that this node does not lead."""
        return NOT_LEADER if self.knows(name, partition) else UNKNOWN_TOPIC_OR_PARTITION

    def learn(self, image: Image) -> None:
        """Takes what the controller has decided."""
        before, self.image = self.image, image
        self.answers.clear()
        for name, topic in before.topics.items():
            now = image.topics.get(name)
            if now is None or now.topic_id != topic.topic_id:
                self._drop(topic)
        for name, topic in image.topics.items():
            if before.topics.get(name) is not topic:
                self._learn_topic(topic)
        self.model.hosting.learned(self, before)

    def _drop(self, topic: TopicImage) -> None:
        for number in range(len(topic.partitions)):
            replica = self.replicas.pop((topic.name, number), None)
            if replica is not None:
                replica.notify()

    def _learn_topic(self, topic: TopicImage) -> None:
        for number, partition in enumerate(topic.partitions):
            if self.number not in partition.replicas:
                continue
            key = topic.name, number
            replica = self.replicas.get(key)
            least = self.model.least_in_sync(topic)
            if replica is None:
                replica = self.replicas[key] = Replica(*key, topic.topic_id, self.number, least)
            replica.least_in_sync = least
            if replica.image is not partition:
                replica.learn(partition)
                self._replicate(replica)

    def _replicate(self, replica: Replica) -> None:
        if replica.leads:
            self.model.replication.followers_fetch(replica)
        else:
            self.model.replication.fetch_soon(replica)

    def end(self) -> None:
        """Is down: all connections are lost, and what was under way with them."""
        self.state = State.DOWN
        self._put_off.clear()
        for connection in list(self.connections):
            connection.abort()
        self.connections.clear()
        self.model.hosting.ended(self)

    def wake(self) -> None:
        """Runs again: does what was put off, serves what clients sent meanwhile, and replicates."""
        self.state = State.RUNNING
        put_off, self._put_off = self._put_off, []
        for action in put_off:
            action()
        for connection in list(self.connections):
            connection.go_on()
        for replica in list(self.replicas.values()):
            self._replicate(replica)
