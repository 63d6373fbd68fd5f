"""Answers InitProducerId, AddPartitionsToTxn and EndTxn."""

from typing import TYPE_CHECKING, Any

from aiokafka.protocol.transaction import AddPartitionsToTxnRequest_v0, EndTxnRequest_v0, InitProducerIdRequest_v0

from tests.simulation.kafka.codes import (
    INVALID_TRANSACTION_TIMEOUT,
    NONE,
    NOT_COORDINATOR,
    OPERATION_NOT_ATTEMPTED,
    UNKNOWN_TOPIC_OR_PARTITION,
)
from tests.simulation.kafka.coordinators import TRANSACTIONS, coordinates
from tests.simulation.kafka.wire import Api

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

_LONGEST_MS = 900_000


def init_producer_id(node: "Node", request: Any) -> Any:
    """Gives a producer its id and epoch; those before it with the same transactional id are fenced."""
    name = request.transactional_id
    if name is None:
        return request.RESPONSE_TYPE(0, NONE, node.model.transactions.next_producer(), 0)
    if not coordinates(node, TRANSACTIONS, name):
        return request.RESPONSE_TYPE(0, NOT_COORDINATOR, -1, -1)
    if not 0 < request.transaction_timeout_ms <= _LONGEST_MS:
        return request.RESPONSE_TYPE(0, INVALID_TRANSACTION_TIMEOUT, -1, -1)
    code, known = node.model.transactions.start(name, request.transaction_timeout_ms)
    if known is None:
        return request.RESPONSE_TYPE(0, code, -1, -1)
    return request.RESPONSE_TYPE(0, NONE, known.producer_id, known.epoch)


def add_partitions(node: "Node", request: Any) -> Any:
    """Adds partitions to a transaction, all or none of those asked for."""
    asked = [(name, number) for name, numbers in request.topics for number in numbers]
    unknown = {key for key in asked if not node.knows(*key)}
    code = OPERATION_NOT_ATTEMPTED
    if not coordinates(node, TRANSACTIONS, request.transactional_id):
        code, unknown = NOT_COORDINATOR, set()
    elif not unknown:
        keys = {key: node.image.topics[key[0]].topic_id for key in asked}
        producer = request.transactional_id, request.producer_id, request.producer_epoch
        code = node.model.transactions.add(*producer, keys)
    errors = [
        (name, [(each, UNKNOWN_TOPIC_OR_PARTITION if (name, each) in unknown else code) for each in numbers])
        for name, numbers in request.topics
    ]
    return request.RESPONSE_TYPE(0, errors)


def end_transaction(node: "Node", request: Any) -> Any:
    """Commits or aborts a transaction."""
    if not coordinates(node, TRANSACTIONS, request.transactional_id):
        return request.RESPONSE_TYPE(0, NOT_COORDINATOR)
    producer = request.transactional_id, request.producer_id, request.producer_epoch
    return request.RESPONSE_TYPE(0, node.model.transactions.end(*producer, request.transaction_result))


APIS = (
    Api((InitProducerIdRequest_v0,), init_producer_id),
    Api((AddPartitionsToTxnRequest_v0,), add_partitions),
    Api((EndTxnRequest_v0,), end_transaction),
)
