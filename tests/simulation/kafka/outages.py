"""Nodes that die, hang, and come back; and followers that lag."""

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.kafka.node import Node, State

if TYPE_CHECKING:
    from tests.simulation.kafka.cluster import Cluster

_HEARTBEAT_SECONDS = 0.5
_CATCH_UP_SECONDS = 0.3  # a node that wakes knows nothing of what was decided for so long at most


class Outages:
    """Ends and starts the nodes of a model, whose sessions with the controller last `session_seconds`.

    As with Kafka a node that was killed is not back before its old session has ended. Followers that have fetched
    nothing for `lag_seconds` are no longer in sync.
    """

    def __init__(self, model: "Cluster", session_seconds: float, startup_seconds: float, lag_seconds: float) -> None:
        self._model = model
        self.session_seconds = session_seconds
        self.startup_seconds = startup_seconds
        self.lag_seconds = lag_seconds
        self._sessions: dict[int, asyncio.TimerHandle] = {}
        self._starts: dict[int, asyncio.TimerHandle] = {}
        self._lags: dict[int, asyncio.TimerHandle] = {}

    def kill(self, number: int) -> None:
        """Ends a node at once: its connections are lost, and no new one is taken."""
        start = self._starts.pop(number, None)
        if start is not None:
            start.cancel()
        self._node(number).end()
        self._lose_session(number)

    def start(self, number: int) -> None:
        """Starts a node that is down; it answers once its old session has ended, and it has read its logs."""
        node = self._node(number)
        if node.state is not State.DOWN or number in self._starts:
            return
        now = asyncio.get_running_loop().time()
        session = self._sessions.get(number)
        at = self.startup_seconds + (now if session is None else max(now, session.when()))
        self._starts[number] = asyncio.get_running_loop().call_at(at, self._begin, number)

    def _begin(self, number: int) -> None:
        del self._starts[number]
        node = self._node(number)
        node.state = State.RUNNING
        node.learn(self._model.controller.image)
        node.wake()
        self._model.controller.unfence(number)

    def hang(self, number: int) -> None:
        """Stops a node: connections stay, and it answers nothing."""
        node = self._node(number)
        if node.is_running:
            node.state = State.HUNG
            self._lose_session(number)

    def wake(self, number: int) -> None:
        """Has a node that hung go on, as if nothing had been; it learns in a moment what was decided meanwhile."""
        node = self._node(number)
        if node.state is not State.HUNG:
            return
        session = self._sessions.pop(number, None)
        if session is not None:
            session.cancel()
        node.wake()
        self._model.controller.tell_soon(number, _CATCH_UP_SECONDS)
        if number not in self._model.controller.image.alive:
            seconds = _HEARTBEAT_SECONDS * self._model.rnd.random()
            asyncio.get_running_loop().call_later(seconds, self._unfence, number)

    def _unfence(self, number: int) -> None:
        if self._node(number).is_running:
            self._model.controller.unfence(number)
            for replica in list(self._node(number).replicas.values()):
                self._model.replication.fetch_soon(replica)  # it may be in sync again only from now on

    def _node(self, number: int) -> Node:
        return self._model.nodes[number]

    def _lose_session(self, number: int) -> None:
        if number not in self._sessions and number in self._model.controller.image.alive:
            seconds = self.session_seconds - _HEARTBEAT_SECONDS * self._model.rnd.random()
            self._sessions[number] = asyncio.get_running_loop().call_later(seconds, self._expire, number)

    def _expire(self, number: int) -> None:
        del self._sessions[number]
        self._model.controller.fence(number)

    def hold(self, number: int) -> None:
        """Has a node fetch nothing from leaders; after some time it is in sync with none."""
        self._model.replication.held.add(number)
        if number not in self._lags:
            self._lags[number] = asyncio.get_running_loop().call_later(self.lag_seconds, self._lag, number)

    def release(self, number: int) -> None:
        """Has a node fetch from leaders again."""
        self._model.replication.held.discard(number)
        lag = self._lags.pop(number, None)
        if lag is not None:
            lag.cancel()
        for replica in list(self._node(number).replicas.values()):
            self._model.replication.fetch_soon(replica)

    def _lag(self, number: int) -> None:
        """Has the leaders drop a follower that is behind; looks again later, as more may come."""
        for key, replica in list(self._node(number).replicas.items()):
            leader = self._model.leader(*key)
            if leader is not None and leader is not replica and replica.log.end < leader.log.end:
                self._model.controller.leave(leader, number)
        self._lags[number] = asyncio.get_running_loop().call_later(self.lag_seconds, self._lag, number)
