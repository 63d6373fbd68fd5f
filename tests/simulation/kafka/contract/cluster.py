"""Gives cases a cluster of three nodes of either kind, of which one may fail."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers.kafka.metadata import _Request as MetadataRequest
from deploy.local.waiting import eventually
from tests.simulation.kafka.contract.broker import UNCOMMITTED, Broker, Fetched

_PATIENCE_SECONDS = 2.0


class Nodes(Protocol):
    """Ends and starts nodes by their numbers."""

    async def kill(self, number: int) -> None:
        """Ends a node at once."""

    async def start(self, number: int) -> None:
        """Starts a node that was killed, and waits until it answers."""

    def hang(self, number: int) -> None:
        """Stops a node."""

    def wake(self, number: int) -> None:
        """Has a node that hung go on."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Is three nodes, with a client for single requests to any of them."""

    broker: Broker
    nodes: Nodes

    async def describe(self, tp: TopicPartition, node: int | None = None) -> Mapping[str, Any]:
        """What the first node that answers says of a partition, or this one."""
        nodes = [each.nodeId for each in self.broker.client.cluster.brokers()] if node is None else [node]
        for each in nodes:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    response = await self.broker.ask(MetadataRequest(tp.topic), each)
            except (KafkaError, TimeoutError):
                continue  # it is down, or hangs
            [topic] = response.to_object()["topics"]
            [partition] = [some for some in topic["partitions"] if some["partition"] == tp.partition]
            return partition  # type: ignore[no-any-return]
        raise AssertionError("no node answers")

    async def leader(self, tp: TopicPartition) -> int:
        """The node that leads a partition, -1 if there is none."""
        return int((await self.describe(tp))["leader"])

    async def wait_leader(self, tp: TopicPartition, other_than: int) -> int:
        """Waits until another node leads a partition, and knows it."""
        leader = other_than

        async def leads() -> bool:
            nonlocal leader
            leader = await self.leader(tp)
            if leader in {-1, other_than}:
                return False
            return (await self.broker.offset(tp, -1, node=leader))[0] == 0

        await eventually(leads, f"a node other than {other_than} leads {tp}")
        return leader

    async def wait_in_sync(self, tp: TopicPartition, count: int) -> None:
        """Waits until so many replicas are in sync, as far as their leader knows."""
        await eventually(partial(self._has_in_sync, tp, count), f"{count} replicas of {tp} are in sync")

    async def _has_in_sync(self, tp: TopicPartition, count: int) -> bool:
        return len((await self.describe(tp, await self.leader(tp)))["isr"]) == count

    async def fetch(self, tp: TopicPartition, isolation: int = UNCOMMITTED, node: int | None = None) -> Fetched:
        """What a fetch gives from the start: of the leader, or of any node."""
        at = await self.leader(tp) if node is None else node
        [fetched] = await self.broker.fetch({tp: 0}, isolation, node=at)
        return fetched
