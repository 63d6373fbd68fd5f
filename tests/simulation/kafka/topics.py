"""Answers CreateTopics, DeleteTopics and CreatePartitions."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiokafka.protocol.admin import (
    CreatePartitionsRequest_v0,
    CreatePartitionsRequest_v1,
    CreateTopicsRequest_v0,
    CreateTopicsRequest_v1,
    CreateTopicsRequest_v2,
    CreateTopicsRequest_v3,
    DeleteTopicsRequest_v0,
    DeleteTopicsRequest_v1,
    DeleteTopicsRequest_v2,
    DeleteTopicsRequest_v3,
)

from tests.simulation.kafka.codes import (
    INVALID_CONFIG,
    INVALID_PARTITIONS,
    INVALID_REPLICATION_FACTOR,
    INVALID_TOPIC,
    NONE,
    TOPIC_ALREADY_EXISTS,
    UNKNOWN_TOPIC_OR_PARTITION,
)
from tests.simulation.kafka.configs import are_valid
from tests.simulation.kafka.image import Image
from tests.simulation.kafka.wire import Api

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

_is_name = re.compile(r"[A-Za-z0-9._-]{1,249}").fullmatch
_MESSAGES = {
    NONE: None,
    TOPIC_ALREADY_EXISTS: "Topic already exists.",
    INVALID_REPLICATION_FACTOR: "Replication factor is below 1 or larger than the number of brokers.",
    INVALID_CONFIG: "There is no such setting, or it cannot have this value.",
    INVALID_TOPIC: "The name is empty or too long, or has other characters than letters, digits, . _ and -",
    INVALID_PARTITIONS: "Number of partitions is too small.",
    UNKNOWN_TOPIC_OR_PARTITION: "There is no such topic.",
}


def create_topics(node: "Node", request: Any) -> Any:
    """Makes topics; a topic's number of partitions and replicas may be left to the cluster (-1)."""
    model, errors = node.model, []
    for name, partitions, replicas, _, configs in request.create_topic_requests:
        count = 1 if partitions == -1 else partitions
        copies = min(3, len(model.nodes)) if replicas == -1 else replicas
        code = _refusal(model.controller.image, name, count, copies, dict(configs))
        if not code and not getattr(request, "validate_only", False):
            model.create_topic(name, count, copies, dict(configs))
        errors.append((name, code, _MESSAGES[code]) if request.API_VERSION else (name, code))
    throttle = [0] if request.API_VERSION >= 2 else []
    return request.RESPONSE_TYPE(*throttle, errors)


def _refusal(image: Image, name: str, count: int, copies: int, configs: Mapping[str, str]) -> int:
    checks = (
        (TOPIC_ALREADY_EXISTS, name not in image.topics),
        (INVALID_TOPIC, _is_name(name) and name not in {".", ".."}),
        (INVALID_PARTITIONS, count >= 1),
        (INVALID_REPLICATION_FACTOR, 1 <= copies <= len(image.alive)),
        (INVALID_CONFIG, are_valid(configs)),
    )
    return next((code for code, is_right in checks if not is_right), NONE)


def delete_topics(node: "Node", request: Any) -> Any:
    """Deletes topics, with all their records."""
    codes = []
    for name in request.topics:
        is_there = name in node.model.controller.image.topics
        codes.append((name, NONE if is_there else UNKNOWN_TOPIC_OR_PARTITION))
        if is_there:
            node.model.controller.drop_topic(name)
    throttle = [0] if request.API_VERSION else []
    return request.RESPONSE_TYPE(*throttle, codes)


def create_partitions(node: "Node", request: Any) -> Any:
    """Adds partitions to topics, which are empty."""
    controller, errors = node.model.controller, []
    for name, (count, _) in request.topic_partitions:
        topic = controller.image.topics.get(name)
        code = NONE
        if topic is None:
            code = UNKNOWN_TOPIC_OR_PARTITION
        elif count <= len(topic.partitions):
            code = INVALID_PARTITIONS
        elif not request.validate_only:
            replicas = len(topic.partitions[0].replicas)
            more = controller.place(count - len(topic.partitions), replicas)
            controller.put_topic(replace(topic, partitions=(*topic.partitions, *more)))
        errors.append((name, code, _MESSAGES[code]))
    return request.RESPONSE_TYPE(0, errors)


APIS = (
    Api(
        (CreateTopicsRequest_v0, CreateTopicsRequest_v1, CreateTopicsRequest_v2, CreateTopicsRequest_v3), create_topics
    ),
    Api(
        (DeleteTopicsRequest_v0, DeleteTopicsRequest_v1, DeleteTopicsRequest_v2, DeleteTopicsRequest_v3), delete_topics
    ),
    Api((CreatePartitionsRequest_v0, CreatePartitionsRequest_v1), create_partitions),
)
