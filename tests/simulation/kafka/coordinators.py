"""Says which node coordinates a group or a transactional id: as with Kafka the leader of a partition of its topic."""

from typing import TYPE_CHECKING

from tests.simulation.kafka.image import NOBODY

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

GROUPS = "__consumer_offsets"
TRANSACTIONS = "__transaction_state"
PARTITIONS = 4


def _partition_of(key: str) -> int:
    """Returns the number of a key's partition, by the hash that Java gives a text."""
    number = 0
    for unit in key:
        number = (31 * number + ord(unit)) & 0xFFFFFFFF
    return (number & 0x7FFFFFFF) % PARTITIONS


def find_coordinator(node: "Node", topic: str, key: str) -> "Node | None":
    """Returns the coordinator of a key as far as a node knows, None while there is none; `topic` is one of the above."""
    leader = node.image.topics[topic].partitions[_partition_of(key)].leader
    return None if leader == NOBODY else node.model.nodes[leader]


def coordinates(node: "Node", topic: str, key: str) -> bool:
    """Returns whether a node is the coordinator of a key.

    A node that hung, and was replaced, may take itself for it. It answers nobody, as others do not take its records.
    """
    number = _partition_of(key)
    decided = node.model.controller.image.topics[topic].partitions[number].leader
    return decided == node.number and node.lead(topic, number) is not None
