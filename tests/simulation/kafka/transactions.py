"""Answers producers that are idempotent; those with transactions are to come."""

from typing import TYPE_CHECKING, Any

from aiokafka.protocol.transaction import InitProducerIdRequest_v0

from tests.simulation.kafka.codes import NONE
from tests.simulation.kafka.wire import Api

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node


class Transactions:
    """Knows who writes in transactions."""

    def __init__(self) -> None:
        self._next_producer = 0

    def has(self, producer_id: int, producer_epoch: int, key: tuple[str, int]) -> bool:
        """Returns whether a partition was added to the open transaction of a producer."""
        return False

    def next_producer(self) -> int:
        """Returns the id of one more producer."""
        self._next_producer += 1
        return self._next_producer


def init_producer_id(node: "Node", request: Any) -> Any:
    """Gives a producer its id."""
    return request.RESPONSE_TYPE(0, NONE, node.model.transactions.next_producer(), 0)


APIS = (Api((InitProducerIdRequest_v0,), init_producer_id),)
