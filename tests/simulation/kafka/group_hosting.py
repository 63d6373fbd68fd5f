"""Says which node has which group, moves groups from node to node, and does what is due in them."""

import asyncio
import math
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.kafka.coordinators import GROUPS, coordinates
from tests.simulation.kafka.group import Group
from tests.simulation.kafka.group_members import Code, Stored
from tests.simulation.kafka.image import Image, TopicImage

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node


class Hosted:
    """Holds a group with its coordinator's node, the committed offsets, and the timer of what is due next."""

    def __init__(self, group: Group, node: "Node | None") -> None:
        self.group = group
        self.node = node
        self.offsets: dict[tuple[str, int], tuple[int, str]] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.timer_ms = math.inf
        self.loads_until_ms = -math.inf


class Hosting:
    """Keeps all groups of a cluster, each at the node that leads its partition of the offsets topic.

    The running loop's time is the clock. The first members of a group wait `initial_delay_ms` for others, by default as
    long as Kafka has it. A node that takes groups over loads them for up to `load_ms`.
    """

    def __init__(self, rnd: Random) -> None:
        self.initial_delay_ms = 3_000
        self.load_ms = 200
        self.rnd = rnd
        self._hosted: dict[str, Hosted] = {}

    def learned(self, node: "Node", before: Image) -> None:
        """Takes over the groups that a node coordinates now, and gives up those that it no longer does.

        A node calls it when it was told something. The groups' offsets stay, but for topics that are gone, and so do
        the members of the last generation. Those who wait at the former coordinator are told.
        """
        gone = {name for name, topic in before.topics.items() if not _has(node.image, topic)}
        for group_id, hosted in self._hosted.items():
            if not coordinates(node, GROUPS, group_id):
                if hosted.node is node:
                    self._hand_over(hosted, None)
                continue
            if hosted.node is not node:
                self._hand_over(hosted, node)
            if gone:
                hosted.offsets = {at: offset for at, offset in hosted.offsets.items() if at[0] not in gone}

    def ended(self, node: "Node") -> None:
        """Notes that a node is down: what was not in the offsets topic is lost, also if it soon leads again."""
        for hosted in self._hosted.values():
            if hosted.node is node:
                self._hand_over(hosted, None)

    def _hand_over(self, hosted: Hosted, node: "Node | None") -> None:
        hosted.group.end(Code.NOT_COORDINATOR)
        hosted.group, hosted.node = self._restore(hosted.group.stored), node
        hosted.loads_until_ms = _now_ms() + self.load_ms * self.rnd.random()
        self.schedule(hosted)

    def find(self, node: "Node", group_id: str) -> tuple[Code, Hosted | None]:
        """Returns a group that this node coordinates, or why there is none."""
        if not coordinates(node, GROUPS, group_id):
            return Code.NOT_COORDINATOR, None
        hosted = self._hosted.get(group_id)
        if hosted is not None and hosted.loads_until_ms > _now_ms():
            return Code.COORDINATOR_LOAD_IN_PROGRESS, None
        return (Code.UNKNOWN_MEMBER_ID, None) if hosted is None else (Code.NONE, hosted)

    def create(self, node: "Node", group_id: str) -> Hosted:
        """Returns a new group of a node."""
        hosted = self._hosted[group_id] = Hosted(self._restore(Stored()), node)
        return hosted

    def _restore(self, stored: Stored) -> Group:
        return Group(_now_ms, self.rnd, self.initial_delay_ms, stored)

    def schedule(self, hosted: Hosted) -> None:
        """Sees to it that what is due next in a group is done in time; a node that hangs does it when it wakes.

        A timer that is due earlier is left as it is: most of what a group waits for is put off by each heartbeat.
        """
        next_ms = hosted.group.next_ms()
        if hosted.timer_ms <= next_ms:
            return
        if hosted.timer is not None:
            hosted.timer.cancel()
        hosted.timer_ms = next_ms
        hosted.timer = asyncio.get_running_loop().call_at(next_ms / 1000, self._expire, hosted)

    def _expire(self, hosted: Hosted) -> None:
        hosted.timer, hosted.timer_ms = None, math.inf
        if hosted.node is None:
            return  # whoever takes over sets a timer of its own
        if not hosted.node.is_running:
            hosted.node.when_running(lambda: self._expire(hosted))
            return
        hosted.group.expire()
        self.schedule(hosted)


def _has(image: Image, topic: TopicImage) -> bool:
    known = image.topics.get(topic.name)
    return known is not None and known.topic_id == topic.topic_id


def _now_ms() -> float:
    return asyncio.get_running_loop().time() * 1000
