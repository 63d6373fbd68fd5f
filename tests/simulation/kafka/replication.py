"""Followers fetch from leaders: records, and then how far all of them are.

As with Kafka a follower tells by its next fetch that it has what the last one brought. So the leader's high watermark
is two fetches behind, and the follower's one more.
"""

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.kafka.replica import Replica

if TYPE_CHECKING:
    from tests.simulation.kafka.cluster import Cluster

_IDLE_FETCH_SECONDS = 0.5  # replica.fetch.wait.max.ms: a follower without news learns the high watermark so late


class Replication:
    """Copies records between the nodes of a model, `seconds` for one fetch at most.

    A node in `held` fetches nothing, though it goes on in all else.
    """

    def __init__(self, model: "Cluster", seconds: float) -> None:
        self._model = model
        self.seconds = seconds
        self.held: set[int] = set()
        self._fetching: set[Replica] = set()
        self._late: set[Replica] = set()

    def fetch_soon(self, follower: Replica) -> None:
        """Has a follower fetch, unless it is about to."""
        # a set of these has an order of its own, and nobody goes through it
        if follower not in self._fetching and not follower.leads:
            self._fetching.add(follower)
            self._later(self.seconds * self._model.rnd.random(), self._fetch, follower)

    def followers_fetch(self, leader: Replica) -> None:
        """Has all followers of a leader fetch soon."""
        for node in leader.image.replicas:
            follower = self._model.nodes[node].replicas.get(leader.key)
            if follower is not None and follower is not leader:
                self.fetch_soon(follower)

    def _leader(self, follower: Replica) -> Replica | None:
        """Returns the leader that a follower can fetch from now, if there is one."""
        nodes = self._model.nodes
        at = nodes.get(follower.image.leader)
        if at is None or not at.is_running or not nodes[follower.node].is_running or follower.node in self.held:
            return None
        if nodes[follower.node].replicas.get(follower.key) is not follower:
            return None
        leader = at.replicas.get(follower.key)
        if leader is None or not leader.leads or leader.image.epoch != follower.image.epoch:
            return None
        return leader if leader.topic_id == follower.topic_id else None

    def _fetch(self, follower: Replica) -> None:
        self._fetching.discard(follower)
        leader = self._leader(follower)
        if leader is None:
            return
        follower.follow(leader)
        follower.learn_high_watermark(leader.high_watermark)
        end, epoch = follower.log.end, leader.image.epoch
        self._later(self.seconds * self._model.rnd.random(), self._tell, follower, end, epoch)

    def _tell(self, follower: Replica, end: int, epoch: int) -> None:
        leader = self._leader(follower)
        if leader is None or leader.image.epoch != epoch:
            return
        leader.acknowledge(follower.node, end)
        if follower.node not in leader.image.in_sync and leader.may_join(follower.node):
            self._model.controller.join(leader, follower.node)
        if leader.log.end > end:
            self.fetch_soon(follower)
        else:
            self._fetch_idly(follower)

    def _fetch_idly(self, follower: Replica) -> None:
        if follower not in self._late:
            self._late.add(follower)
            self._later(_IDLE_FETCH_SECONDS, self._end_idle_fetch, follower)

    def _end_idle_fetch(self, follower: Replica) -> None:
        self._late.discard(follower)
        leader = self._leader(follower)
        if leader is not None:
            follower.learn_high_watermark(leader.high_watermark)
            if follower.high_watermark < follower.log.end:
                self._fetch_idly(follower)

    @staticmethod
    def _later(seconds: float, call: object, *arguments: object) -> None:
        asyncio.get_running_loop().call_later(seconds, call, *arguments)  # type: ignore[arg-type]
