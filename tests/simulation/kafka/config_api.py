"""Answers DescribeConfigs and AlterConfigs of topics, and DeleteRecords."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiokafka.protocol.admin import (
    AlterConfigsRequest_v0,
    AlterConfigsRequest_v1,
    DeleteRecordsRequest_v0,
    DeleteRecordsRequest_v1,
    DeleteRecordsRequest_v2,
    DescribeConfigsRequest_v0,
    DescribeConfigsRequest_v1,
    DescribeConfigsRequest_v2,
)

from tests.simulation.kafka.codes import (
    INVALID_CONFIG,
    INVALID_REQUEST,
    NONE,
    OFFSET_OUT_OF_RANGE,
    UNKNOWN_TOPIC_OR_PARTITION,
)
from tests.simulation.kafka.configs import DEFAULTS, are_valid
from tests.simulation.kafka.image import TopicImage
from tests.simulation.kafka.wire import Api

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

_TOPIC = 2
_OF_TOPIC, _DEFAULT = 1, 5
_TO_THE_END = -1
_UNKNOWN = "This server does not host this topic-partition."


def describe_configs(node: "Node", request: Any) -> Any:
    """Answers with the settings of topics that are asked for, all if none is named."""
    resources: list[tuple[Any, ...]] = []
    for kind, name, names in request.resources:
        topic = node.image.topics.get(name)
        if kind != _TOPIC:
            resources.append((INVALID_REQUEST, "The model has settings of topics alone.", kind, name, []))
        elif topic is None:
            resources.append((UNKNOWN_TOPIC_OR_PARTITION, _UNKNOWN, kind, name, []))
        else:
            wanted = [each for each in DEFAULTS if names is None or each in names]
            entries = [_entry(topic, each, request.API_VERSION) for each in wanted]
            resources.append((NONE, None, kind, name, entries))
    return request.RESPONSE_TYPE(0, resources)


def _entry(topic: TopicImage, name: str, version: int) -> tuple[Any, ...]:
    is_default = name not in topic.configs
    value = topic.configs.get(name, DEFAULTS[name])
    if version == 0:
        return (name, value, False, is_default, False)
    return (name, value, False, _DEFAULT if is_default else _OF_TOPIC, False, [])


def alter_configs(node: "Node", request: Any) -> Any:
    """Gives topics other settings: those that are not named get their defaults back."""
    controller, resources = node.model.controller, []
    for kind, name, entries in request.resources:
        topic, configs, code = controller.image.topics.get(name), dict(entries), NONE
        if kind != _TOPIC:
            code = INVALID_REQUEST
        elif topic is None:
            code = UNKNOWN_TOPIC_OR_PARTITION
        elif not are_valid(configs):
            code = INVALID_CONFIG
        elif not request.validate_only:
            controller.put_topic(replace(topic, configs=configs))
        resources.append((code, None, kind, name))
    return request.RESPONSE_TYPE(0, resources)


def delete_records(node: "Node", request: Any) -> Any:
    """Deletes the records of partitions before an offset, or all that are safe."""
    end: list[Any] = [{}] if request.FLEXIBLE_VERSION else []
    topics = []
    for name, partitions, *_ in request.topics:
        some = [(number, *_delete(node, name, number, offset), *end) for number, offset, *_ in partitions]
        topics.append((name, some, *end))
    return request.RESPONSE_TYPE(0, topics, *end)


def _delete(node: "Node", name: str, number: int, offset: int) -> tuple[int, int]:
    """Returns the new start of the log, and a code."""
    replica = node.lead(name, number)
    if replica is None:
        return -1, node.absence(name, number)
    before = replica.high_watermark if offset == _TO_THE_END else offset
    if not 0 <= before <= replica.high_watermark:
        return -1, OFFSET_OUT_OF_RANGE
    replica.drop_before(before)
    node.model.replication.followers_fetch(replica)
    return replica.log.start, NONE


APIS = (
    Api((DescribeConfigsRequest_v0, DescribeConfigsRequest_v1, DescribeConfigsRequest_v2), describe_configs),
    Api((AlterConfigsRequest_v0, AlterConfigsRequest_v1), alter_configs),
    Api((DeleteRecordsRequest_v0, DeleteRecordsRequest_v1, DeleteRecordsRequest_v2), delete_records),
)
