"""The cluster of the model: its nodes, the requests that they know, topics and leaders."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from tests.simulation.kafka import config_api, coordinators, fetching, metadata, producing, topics, transaction_api
from tests.simulation.kafka.configs import setting
from tests.simulation.kafka.controller import Controller
from tests.simulation.kafka.group_hosting import Hosting
from tests.simulation.kafka.groups import Groups
from tests.simulation.kafka.image import Image, TopicImage
from tests.simulation.kafka.node import Node
from tests.simulation.kafka.replica import Replica
from tests.simulation.kafka.replication import Replication
from tests.simulation.kafka.transactions import Transactions
from tests.simulation.kafka.wire import Api, Connection


class Cluster:
    """Holds the cluster; node number 1 is the first of `nodes`, each the (host, port) that clients are told.

    It is made and used within a running event loop, whose time is that of all timers. `now_ms` (Unix ms) is the time
    that records get, `rnd` all chance. Nodes, topics and partitions are there at once.
    """

    def __init__(self, nodes: Sequence[tuple[str, int]], rnd: Random, now_ms: Callable[[], int]) -> None:
        self.rnd = rnd
        self.now_ms = now_ms
        self.fetch_max_bytes = 55 << 20  # the brokers' own limit of a response, beside that of each fetch
        numbers = tuple(range(1, len(nodes) + 1))
        self.controller = Controller(self, Image({}, numbers))
        self.replication = Replication(self, seconds=0.002)
        self.transactions = Transactions(self)
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
        for each in (metadata, coordinators, producing, fetching, topics, config_api, transaction_api):
            self.register(each.APIS)
        self.register(self.groups.apis)

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
        least = int(setting(topic.configs, "min.insync.replicas"))
        return min([least, *(len(partition.replicas) for partition in topic.partitions)])

    def create_topic(
        self, name: str, partitions: int, replicas: int = 1, configs: Mapping[str, str] | None = None
    ) -> None:
        """Makes a topic, which nodes know of in a moment."""
        placed = tuple(self.controller.place(partitions, replicas))
        self.controller.put_topic(TopicImage(name, self.rnd.randbytes(16), placed, configs or {}))

    def is_running(self, number: int) -> bool:
        """Returns whether there is such a node, and it does anything now."""
        return number in self.nodes and self.nodes[number].is_running

    def leader(self, topic: str, partition: int) -> Replica | None:
        """Returns the replica that leads a partition, if there is one, and its node runs and knows that."""
        known = self.controller.image.topics.get(topic)
        if known is None or not self.is_running(known.partitions[partition].leader):
            return None
        decided = known.partitions[partition]
        replica = self.nodes[decided.leader].replicas.get((topic, partition))
        if replica is None or replica.image.epoch != decided.epoch:
            return None
        return replica
