"""Answers what a node knows: ApiVersions, Metadata, FindCoordinator's question who it is, and ListOffsets."""

from typing import TYPE_CHECKING, Any

from aiokafka.protocol.admin import ApiVersionRequest_v0, ApiVersionRequest_v1, ApiVersionRequest_v2
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.offset import OffsetRequest_v1, OffsetRequest_v2, OffsetRequest_v3

from consumers.kafka.metadata import _RequestWithIds as MetadataRequest_v10
from tests.simulation.kafka.codes import LEADER_NOT_AVAILABLE, NONE, UNKNOWN_TOPIC_OR_PARTITION
from tests.simulation.kafka.image import NOBODY, PartitionImage, TopicImage
from tests.simulation.kafka.replica import Replica
from tests.simulation.kafka.wire import Api

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

_ALL_OPERATIONS, _NOT_ASKED = 0b110111111000, -(1 << 31)
_CLUSTER_ID = "simulated-cluster-id-0"
_LATEST, _EARLIEST = -1, -2
_WITH_IDS = 10


def api_versions(node: "Node", request: Any) -> Any:
    """Answers with the oldest and newest version of each API."""
    versions = [(key, *bounds) for key, bounds in sorted(node.model.versions().items())]
    return request.RESPONSE_TYPE(NONE, versions, *([0] if request.API_VERSION else []))


def metadata(node: "Node", request: Any) -> Any:
    """Answers with the nodes that are there and the topics that were asked for, all if none is named."""
    with_ids = request.API_VERSION >= _WITH_IDS
    end: list[Any] = [{}] if with_ids else []
    names = None if request.topics is None else [each[1] if with_ids else each for each in request.topics]
    if names is None:
        names = list(node.image.topics)
    alive = {*node.image.alive, node.number}
    nodes = [each for each in node.model.nodes.values() if each.number in alive]
    brokers = [(each.number, each.host, each.port, None, *end) for each in nodes]
    topics = [_describe(node, name, request, end) for name in names]
    rights = [_NOT_ASKED, *end] if with_ids else []
    controller = min(node.image.alive, default=node.number)
    return request.RESPONSE_TYPE(0, brokers, _CLUSTER_ID, controller, topics, *rights)


def _describe(node: "Node", name: str, request: Any, end: list[Any]) -> tuple[Any, ...]:
    topic = node.image.topics.get(name)
    with_ids = request.API_VERSION >= _WITH_IDS
    if topic is None:
        more = [bytes(16), False, [], _NOT_ASKED, *end] if with_ids else [False, []]
        return (UNKNOWN_TOPIC_OR_PARTITION, name, *more)
    partitions = [_partition(topic, number, with_ids, node) for number in range(len(topic.partitions))]
    if not with_ids:
        return (NONE, name, topic.is_internal, partitions)
    rights = _ALL_OPERATIONS if request.include_topic_authorized_operations else _NOT_ASKED
    return (NONE, name, topic.topic_id, topic.is_internal, partitions, rights, *end)


def _partition(topic: TopicImage, number: int, with_ids: bool, node: "Node") -> tuple[Any, ...]:
    partition: PartitionImage = topic.partitions[number]
    code = LEADER_NOT_AVAILABLE if partition.leader == NOBODY else NONE
    gone = [each for each in partition.replicas if each not in node.image.alive]
    nodes = list(partition.replicas), list(partition.in_sync), gone
    if with_ids:
        return (code, number, partition.leader, partition.epoch, *nodes, {})
    return (code, number, partition.leader, *nodes)


def list_offsets(node: "Node", request: Any) -> Any:
    """Answers with the first or the last offset of partitions, or that of the first record from some time on."""
    isolation = getattr(request, "isolation_level", 0)
    topics = [
        (name, [(number, *_find(node, name, number, timestamp, isolation)) for number, timestamp in partitions])
        for name, partitions in request.topics
    ]
    throttle = [0] if request.API_VERSION >= 2 else []
    return request.RESPONSE_TYPE(*throttle, topics)


def _find(node: "Node", name: str, number: int, timestamp: int, isolation: int) -> tuple[int, int, int]:
    """Returns code, timestamp and offset."""
    replica = node.lead(name, number)
    if replica is None:
        return (node.absence(name, number), -1, -1)
    if timestamp == _EARLIEST:
        return (NONE, -1, replica.log.start)
    # The versions that aiokafka asks by do not know OFFSET_NOT_AVAILABLE: Kafka answers them with this.
    unsure = LEADER_NOT_AVAILABLE if not replica.knows_its_end else NONE
    if timestamp == _LATEST:
        return (unsure, -1, -1) if unsure else (NONE, -1, replica.end_for(isolation))
    found = _record_from(replica, timestamp)
    if found is None or found[1] >= replica.end_for(isolation):
        return (unsure, -1, -1)
    return (NONE, *found)


def _record_from(replica: Replica, timestamp: int) -> tuple[int, int] | None:
    for batch in replica.log.batches:
        if batch.max_timestamp_ms >= timestamp:
            for record in batch.decoded():
                if record.timestamp >= timestamp and record.offset >= replica.log.start:
                    return record.timestamp, record.offset
    return None


APIS = (
    Api((ApiVersionRequest_v0, ApiVersionRequest_v1, ApiVersionRequest_v2), api_versions, is_of_image=True),
    Api((MetadataRequest_v5, MetadataRequest_v10), metadata, is_of_image=True),
    Api((OffsetRequest_v1, OffsetRequest_v2, OffsetRequest_v3), list_offsets),
)
