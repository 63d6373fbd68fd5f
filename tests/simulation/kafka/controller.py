"""Decides about topics, leaders and replicas in sync, and tells the nodes; it never fails itself."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.simulation.kafka.image import NOBODY, Image, PartitionImage, TopicImage
from tests.simulation.kafka.replica import Replica

if TYPE_CHECKING:
    from tests.simulation.kafka.cluster import Cluster

_TELL_SECONDS = 0.01  # a node is told of a change after so much time at most


class Controller:
    """Holds the newest image, and tells it to the nodes that run."""

    def __init__(self, model: "Cluster", image: Image) -> None:
        self._model = model
        self.image = image
        self._is_telling: set[int] = set()

    def _decide(self, image: Image) -> None:
        self.image = image
        for node in self._model.nodes.values():
            self.tell_soon(node.number)

    def tell_soon(self, number: int, within_seconds: float = _TELL_SECONDS) -> None:
        """Tells a node the newest image in a moment."""
        if number not in self._is_telling:
            self._is_telling.add(number)
            seconds = within_seconds * self._model.rnd.random()
            asyncio.get_running_loop().call_later(seconds, self._tell, number)

    def _tell(self, number: int) -> None:
        self._is_telling.discard(number)
        node = self._model.nodes[number]
        if node.is_running:
            node.learn(self.image)

    def fence(self, number: int) -> None:
        """Notes that a node is gone: others lead its partitions, if any is in sync."""
        alive = tuple(each for each in self.image.alive if each != number)
        self._change(alive, lambda partition: partition.without(number, alive))

    def unfence(self, number: int) -> None:
        """Notes that a node is there: it leads the partitions that have no leader and that it is in sync of."""
        alive = (*(each for each in self.image.alive if each != number), number)

        def change(partition: PartitionImage) -> PartitionImage:
            able = number in partition.in_sync and partition.leader == NOBODY
            return partition.elected(alive) if able else partition

        self._change(alive, change)

    def _change(self, alive: tuple[int, ...], change: Callable[[PartitionImage], PartitionImage]) -> None:
        topics = dict(self.image.topics)
        for name, topic in topics.items():
            partitions = tuple(change(partition) for partition in topic.partitions)
            if partitions != topic.partitions:
                topics[name] = replace(topic, partitions=partitions)
        self._decide(Image(topics, alive))

    def join(self, leader: Replica, number: int) -> None:
        """Takes a follower into those in sync, as its leader asks for it."""
        known = self._current(leader)
        if known is not None and number not in known.in_sync and number in self.image.alive:
            in_sync = tuple(each for each in known.replicas if each in known.in_sync or each == number)
            self._decide(self.image.with_partition(*leader.key, replace(known, in_sync=in_sync)))

    def leave(self, leader: Replica, number: int) -> None:
        """Takes a follower that lags out of those in sync, as its leader asks for it."""
        known = self._current(leader)
        if known is not None and number in known.in_sync:
            in_sync = tuple(each for each in known.in_sync if each != number)
            self._decide(self.image.with_partition(*leader.key, replace(known, in_sync=in_sync)))

    def _current(self, leader: Replica) -> PartitionImage | None:
        """Returns what is decided about a partition, if this is its leader still."""
        topic = self.image.topics.get(leader.key[0])
        if topic is None or topic.topic_id != leader.topic_id:
            return None
        known = topic.partitions[leader.key[1]]
        return known if (known.leader, known.epoch) == (leader.node, leader.image.epoch) else None

    def elect(self, name: str, number: int, leader: int) -> None:
        """Makes a node the leader of a partition; the node must be there and in sync."""
        known = self.image.topics[name].partitions[number]
        assert leader in known.in_sync
        assert leader in self.image.alive
        changed = replace(known, leader=leader, epoch=known.epoch + 1)
        self._decide(self.image.with_partition(name, number, changed))

    def put_topic(self, topic: TopicImage) -> None:
        """Makes a topic, or changes it."""
        self._decide(self.image.with_topic(topic))

    def drop_topic(self, name: str) -> None:
        """Deletes a topic."""
        topics = {other: topic for other, topic in self.image.topics.items() if other != name}
        self._decide(replace(self.image, topics=topics))

    def place(self, count: int, replicas: int) -> list[PartitionImage]:
        """Returns so many new partitions on the nodes that are there, each led by the first of its replicas."""
        alive = sorted(self.image.alive)
        first = self._model.rnd.randrange(len(alive))
        placed = []
        for number in range(count):
            nodes = tuple(alive[(first + number + more) % len(alive)] for more in range(replicas))
            placed.append(PartitionImage(nodes, nodes, nodes[0]))
        return placed
