"""Says which node coordinates a group or a transactional id: as with Kafka the leader of a partition of its topic."""

from typing import TYPE_CHECKING, Any

from aiokafka.protocol.coordination import FindCoordinatorRequest_v0, FindCoordinatorRequest_v1

from tests.simulation.kafka.codes import COORDINATOR_NOT_AVAILABLE, NONE
from tests.simulation.kafka.image import NOBODY
from tests.simulation.kafka.wire import Api

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

GROUPS = "__consumer_offsets"
TRANSACTIONS = "__transaction_state"
PARTITIONS = 4


def partition_of(key: str) -> int:
    """Returns the number of a key's partition, by the hash that Java gives a text."""
    number = 0
    for unit in key:
        number = (31 * number + ord(unit)) & 0xFFFFFFFF
    return (number & 0x7FFFFFFF) % PARTITIONS


def find_coordinator(node: "Node", topic: str, key: str) -> "Node | None":
    """Returns the coordinator of a key as far as a node knows, None while there is none; `topic` as above."""
    leader = node.image.topics[topic].partitions[partition_of(key)].leader
    return None if leader == NOBODY else node.model.nodes[leader]


def coordinates(node: "Node", topic: str, key: str) -> bool:
    """Returns whether a node is the coordinator of a key.

    A node that hung, and was replaced, may take itself for it. It answers nobody, as others do not take its records.
    """
    number = partition_of(key)
    decided = node.model.controller.image.topics[topic].partitions[number].leader
    return decided == node.number and node.lead(topic, number) is not None


def answer_find_coordinator(node: "Node", request: Any) -> Any:
    """Answers FindCoordinator, for a group or a transactional id."""
    is_old = request.API_VERSION == 0
    topic = TRANSACTIONS if not is_old and request.coordinator_type else GROUPS
    found = find_coordinator(node, topic, request.consumer_group if is_old else request.coordinator_key)
    code = COORDINATOR_NOT_AVAILABLE if found is None else NONE
    place = (-1, "", -1) if found is None else (found.number, found.host, found.port)
    if is_old:
        return request.RESPONSE_TYPE(code, *place)
    return request.RESPONSE_TYPE(0, code, "NONE" if found else "The coordinator is not available.", *place)


APIS = (Api((FindCoordinatorRequest_v0, FindCoordinatorRequest_v1), answer_find_coordinator),)
