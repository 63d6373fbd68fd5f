"""Asks the broker for a topic's id, which no other topic ever has, and for its partitions.

aiokafka sends versions of the Metadata request that are older than topic ids, which came with version 10 (Kafka 2.8).
So this module describes version 10.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaClient
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from service.store.layout.heads import NO_TOPIC, Head

_API_KEY, _WITH_IDS = 3, 10
_CLEANUP_POLICY = "cleanup.policy"
_TEXT = CompactString("utf-8")
_NUMBERS = CompactArray(Int32)
_END = ("tags", TaggedFields)
_BROKER = CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), _END)
_PARTITION = CompactArray(
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", _NUMBERS),
    ("isr", _NUMBERS),
    ("offline_replicas", _NUMBERS),
    _END,
)


class _Uuid:
    """Encodes and decodes a UUID as its 16 bytes."""

    @staticmethod
    def encode(value: bytes) -> bytes:
        return value

    @staticmethod
    def decode(data: BytesIO) -> bytes:
        return data.read(16)

    @staticmethod
    def repr(value: bytes) -> str:
        return value.hex()


_TOPIC = CompactArray(
    ("error_code", Int16),
    ("topic", _TEXT),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", _PARTITION),
    ("authorized_operations", Int32),
    _END,
)


class _Response(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = _API_KEY
    API_VERSION = _WITH_IDS
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", _BROKER),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        ("topics", _TOPIC),
        ("authorized_operations", Int32),
        _END,
    )


class _RequestWithIds(RequestStruct):  # type: ignore[misc]
    API_KEY = _API_KEY
    API_VERSION = _WITH_IDS
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", _TEXT), _END)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _END,
    )


class _Request(Request[MetadataRequest_v5 | _RequestWithIds]):  # type: ignore[misc]
    """Sends the newest of the two versions that the broker knows."""

    API_KEY = _API_KEY

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: Any) -> Any:
        if request_struct_class is _RequestWithIds:
            return _RequestWithIds([(bytes(16), self._topic, {})], False, False, True, {})
        return MetadataRequest_v5([self._topic], False)


class Operation(IntEnum):
    """What a user may do with a topic, by Kafka's numbers."""

    READ = 3
    WRITE = 4
    DESCRIBE = 8


@dataclass(frozen=True, slots=True)
class TopicState:
    """Describes a topic: its id ("" where the broker gives none), its number of partitions, and those with a leader.

    `replicas` is how many replicas its first partition has. `operations` has a bit for each operation that our user may
    do with it, where the broker says so.
    """

    topic_id: str
    partitions: int
    with_leader: tuple[int, ...] = field(default=(), compare=False)
    replicas: int = field(default=1, compare=False)
    operations: int = field(default=0, compare=False)

    def has_leader(self, partition: int) -> bool:
        """Returns whether a partition has a leader, which can be asked about the partition."""
        return partition in self.with_leader

    def is_denied(self, operation: Operation) -> bool:
        """Returns whether the broker says that our user may not do this."""
        says = self.operations & 1 << Operation.DESCRIBE  # without that right there is no answer with other rights
        return bool(says) and not self.operations & 1 << operation

    @property
    def id_bytes(self) -> bytes:
        """Returns the id as heads hold it, in 16 bytes."""
        return UUID(self.topic_id).bytes if self.topic_id else NO_TOPIC

    def is_other(self, topic_id: str) -> bool:
        """Returns whether this topic is known to have another id than the given one."""
        return bool(self.topic_id and topic_id) and self.topic_id != topic_id

    def is_of_another(self, head: Head) -> bool:
        """Returns whether a head is of another topic.

        That is so if their ids differ, or if one has no id and the head has more partitions than this topic.
        """
        if self.topic_id and head.topic_id != NO_TOPIC:
            return head.topic_id != self.id_bytes
        return len(head.progress) > self.partitions


async def _ask_any(
    client: AIOKafkaClient,
    request: Any,
    patience_seconds: float = 1.0,
    shuffle: Callable[[list[int]], None] = random.shuffle,
) -> Any:
    """Asks one broker after the other, until one answers; all but the last have `patience_seconds`.

    Raises the last broker's KafkaError.
    """
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    shuffle(nodes)
    for number, node in enumerate(nodes, 1):
        try:
            async with asyncio.timeout(patience_seconds if number < len(nodes) else None):
                return await client.send(node, request)
        except (KafkaError, TimeoutError):
            if number == len(nodes):
                raise
    raise KafkaConnectionError("no broker is known")


async def describe_topic(
    client: AIOKafkaClient,
    topic: str,
    patience_seconds: float = 1.0,
    shuffle: Callable[[list[int]], None] = random.shuffle,
) -> TopicState:
    """Asks brokers to describe the topic, see _ask_any.

    Raises KafkaError; UnknownTopicOrPartitionError means that there is no such topic.
    """
    response = await _ask_any(client, _Request(topic), patience_seconds, shuffle)
    [described] = response.to_object()["topics"]
    if not described["partitions"]:
        raise for_code(described["error_code"] or UnknownTopicOrPartitionError.errno)(topic)
    topic_id = described.get("topic_id", bytes(16))
    partitions = described["partitions"]
    with_leader = tuple(sorted(each["partition"] for each in partitions if each["leader"] >= 0))
    text = str(UUID(bytes=topic_id)) if any(topic_id) else ""
    replicas, operations = len(partitions[0].get("replicas", ())), described.get("authorized_operations", 0)
    return TopicState(text, len(partitions), with_leader, replicas, operations)


async def find_topic(client: AIOKafkaClient, topic: str) -> TopicState | None:
    """Returns what describe_topic returns, or None if there is no such topic. Raises other KafkaErrors."""
    try:
        return await describe_topic(client, topic)
    except UnknownTopicOrPartitionError:
        return None


async def read_cleanup_policy(client: AIOKafkaClient, topic: str) -> str:
    """Returns the topic's `cleanup.policy`, "" if no broker may tell us. Raises KafkaError."""
    resource = (ConfigResourceType.TOPIC, topic, None)  # all settings: tansu ends the connection where one is named
    response = await _ask_any(client, DescribeConfigsRequest([resource]))
    entries = [entry for described in response.resources for entry in described[4]]
    return next((entry[1] for entry in entries if entry[0] == _CLEANUP_POLICY), "")
