"""A topic described by whichever broker answers."""

import asyncio
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import BrokerMetadata

from consumers.kafka.metadata import TopicState, describe_topic


@dataclass(frozen=True)
class Response:
    """What is needed of a response."""

    topics: list[dict[str, Any]]

    def to_object(self) -> dict[str, Any]:
        """As aiokafka gives it."""
        return {"topics": self.topics}


class Client(AIOKafkaClient):  # type: ignore[misc]  # aiokafka has no types
    """Of three nodes the first is gone, the second hangs until it is given up, and the third answers."""

    def __init__(self, *nodes: int) -> None:
        super().__init__(bootstrap_servers="nowhere")
        self.cluster._brokers = {node: BrokerMetadata(node, "host", 1, None) for node in nodes}

    async def send(self, node_id: int, request: Any, **_: Any) -> Any:
        """A response, an error, or nothing."""
        if node_id == 1:
            raise KafkaConnectionError("gone")
        if node_id == 2:
            await asyncio.Event().wait()
        partitions = [{"partition": 0, "leader": 3}, {"partition": 1, "leader": -1}, {"partition": 2, "leader": 1}]
        return Response([{"error_code": 0, "partitions": partitions}])


async def test_a_broker_that_is_gone_or_hangs_is_not_the_only_one() -> None:
    """In whatever order they are asked; it is told which partitions have a leader."""
    for order in permutations((1, 2, 3)):

        def put_in_order(nodes: list[int], order: tuple[int, ...] = order) -> None:
            nodes.sort(key=order.index)

        topic = await describe_topic(Client(1, 2, 3), "events", 0.01, put_in_order)
        assert (topic, topic.with_leader) == (TopicState("", 3), (0, 2))


async def test_when_no_broker_answers_that_is_raised() -> None:
    """Or when none is known."""
    with pytest.raises(KafkaConnectionError, match="gone"):
        await describe_topic(Client(1), "events")
    with pytest.raises(KafkaConnectionError, match="no broker is known"):
        await describe_topic(Client(), "events")
