"""Apache Kafka in memory: some nodes that speak its protocol, topics, and what may go wrong with them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from tests.simulation.kafka import coordinators, fetching, metadata, producing, topics, transactions
from tests.simulation.kafka.controller import Controller
from tests.simulation.kafka.group_hosting import Hosting
from tests.simulation.kafka.groups import Groups
from tests.simulation.kafka.image import Image, TopicImage
from tests.simulation.kafka.node import Node
from tests.simulation.kafka.replication import Replication
from tests.simulation.kafka.transactions import Transactions
from tests.simulation.kafka.wire import Api, Connection


class KafkaModel:
    """Holds the cluster; node number 1 is the first of `nodes`, each the (host, port) that clients are told.

    It is made and used within a running event loop, whose time is that of all timers. `now_ms` (Unix ms) is the time
    that records get, `rnd` all chance. Nodes, topics and partitions are there at once.
    """

    def __init__(self, nodes: Sequence[tuple[str, int]], rnd: Random, now_ms: Callable[[], int]) -> None:
        self.rnd = rnd
        self.now_ms = now_ms
        numbers = tuple(range(1, len(nodes) + 1))
        self.controller = Controller(self, Image({}, numbers))
        self.replication = Replication(self, seconds=0.002)
        self.transactions = Transactions()
        self.hosting = Hosting(rnd)
        self.groups = Groups(self.hosting)
        for name in (coordinators.GROUPS, coordinators.TRANSACTIONS):
            placed = tuple(self.controller.place(coordinators.PARTITIONS, min(3, len(nodes))))
            topic = TopicImage(name, rnd.randbytes(16), placed, is_internal=True)
            self.controller.image = self.controller.image.with_topic(topic)
        self.nodes = {number: Node(self, number, *nodes[number - 1], Image({}, numbers)) for number in numbers}
        for node in self.nodes.values():
            node.learn(self.controller.image)
        self.requests: dict[tuple[int, int], tuple[Any, Api]] = {}
        for apis in (metadata.APIS, producing.APIS, fetching.APIS, topics.APIS, transactions.APIS, self.groups.apis):
            self.register(apis)

    def register(self, apis: Iterable[Api]) -> None:
        """Makes requests known, see wire.py."""
        for api in apis:
            for each in api.requests:
                self.requests[api.key, each.API_VERSION] = each, api

    def versions(self) -> Mapping[int, tuple[int, int]]:
        """Returns the oldest and the newest version of each API that is known."""
        known: dict[int, list[int]] = {}
        for key, version in self.requests:
            known.setdefault(key, []).append(version)
        return {key: (min(versions), max(versions)) for key, versions in known.items()}

    def protocol(self, number: int) -> asyncio.Protocol:
        """Returns what serves one new connection to a node."""
        return Connection(self.nodes[number])

    def least_in_sync(self, topic: TopicImage) -> int:
        """Returns how many replicas of a topic must be in sync for acks=all: two if there are so many."""
        least = int(topic.configs.get("min.insync.replicas", 2))
        return min([least, *(len(partition.replicas) for partition in topic.partitions)])

    def create_topic(
        self, name: str, partitions: int, replicas: int = 1, configs: Mapping[str, str] | None = None
    ) -> None:
        """Makes a topic, which nodes know of in a moment."""
        placed = tuple(self.controller.place(partitions, replicas))
        self.controller.put_topic(TopicImage(name, self.rnd.randbytes(16), placed, configs or {}))
