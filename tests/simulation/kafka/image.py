"""What the controller has decided: topics, the leaders of their partitions, the nodes that are there. Pure, no I/O.

An Image is never changed: each node keeps the one that it was told of last, and nodes may have different ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

NOBODY = -1


@dataclass(frozen=True, slots=True)
class PartitionImage:
    """Describes a partition: the nodes with a copy, those in sync, the leader (NOBODY where there is none)."""

    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]
    leader: int
    epoch: int = 0

    def without(self, node: int, alive: tuple[int, ...]) -> Self:
        """Returns the partition without a node that is gone; the last node in sync stays so, and leads no more."""
        in_sync = tuple(each for each in self.in_sync if each != node) or self.in_sync
        changed = replace(self, in_sync=in_sync)
        return changed.elected(alive) if self.leader == node else changed

    def elected(self, alive: tuple[int, ...]) -> Self:
        """Returns the partition with the first node in sync that is there as its leader, in a new epoch."""
        able = [node for node in self.replicas if node in self.in_sync and node in alive]
        return replace(self, leader=able[0] if able else NOBODY, epoch=self.epoch + 1)


@dataclass(frozen=True, slots=True)
class TopicImage:
    """Describes a topic; another topic of the same name has another id, of 16 bytes."""

    name: str
    topic_id: bytes
    partitions: tuple[PartitionImage, ...]
    configs: Mapping[str, str] = field(default_factory=dict)
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """Holds all topics by name, and the numbers of the nodes that are there."""

    topics: Mapping[str, TopicImage]
    alive: tuple[int, ...]

    def with_partition(self, name: str, number: int, partition: PartitionImage) -> Self:
        """Returns the image with another state of a partition."""
        topic = self.topics[name]
        partitions = (*topic.partitions[:number], partition, *topic.partitions[number + 1 :])
        return self.with_topic(replace(topic, partitions=partitions))

    def with_topic(self, topic: TopicImage) -> Self:
        """Returns the image with a topic that is new, or has changed."""
        return replace(self, topics={**self.topics, topic.name: topic})
