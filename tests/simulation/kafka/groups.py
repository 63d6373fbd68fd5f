"""Answers the requests of consumer groups: membership and offsets.

The state of a group is in `group.py`, and which node has it in `group_hosting.py`; here is what is on the wire.
"""

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aiokafka.protocol.commit import OffsetCommitRequest_v3, OffsetFetchRequest_v3
from aiokafka.protocol.group import (
    HeartbeatRequest_v1,
    JoinGroupRequest_v5,
    LeaveGroupRequest_v1,
    SyncGroupRequest_v3,
)

from tests.simulation.kafka.group_hosting import Hosting
from tests.simulation.kafka.group_members import Code, Joined, Joining
from tests.simulation.kafka.wire import Api

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

_MOST_SESSION_MS = 1_800_000
_NO_OFFSET = (-1, "")


class Groups:
    """Has a handler for each request; a session lasts at least `least_session_ms`, by default as with Kafka."""

    def __init__(self, hosting: Hosting) -> None:
        self.least_session_ms = 6_000
        self._hosting = hosting
        self._rnd = hosting.rnd
        self.apis = (
            Api((JoinGroupRequest_v5,), self._join),
            Api((SyncGroupRequest_v3,), self._sync),
            Api((HeartbeatRequest_v1,), self._heartbeat),
            Api((LeaveGroupRequest_v1,), self._leave),
            Api((OffsetCommitRequest_v3,), self._commit),
            Api((OffsetFetchRequest_v3,), self._fetch),
        )

    # -- membership

    def _join(self, node: "Node", request: Any) -> Any:
        said = Joining(request.session_timeout, request.rebalance_timeout, dict(request.group_protocols))
        code, hosted = self._hosting.find(node, request.group)
        if code is Code.UNKNOWN_MEMBER_ID and not request.member_id:
            code = Code.NONE  # the group begins with its first member
        if code is Code.NONE and not request.group:
            code = Code.INVALID_GROUP_ID
        if code is Code.NONE and not self.least_session_ms <= said.session_timeout_ms <= _MOST_SESSION_MS:
            code = Code.INVALID_SESSION_TIMEOUT
        if code is not Code.NONE:
            return _join_response(request, Joined(code, request.member_id))
        hosted = hosted or self._hosting.create(node, request.group)
        if not request.member_id:
            member_id = f"{request.client_id}-{UUID(int=self._rnd.getrandbits(128), version=4)}"
            response = _join_response(request, Joined(hosted.group.promise(member_id, said), member_id))
            self._hosting.schedule(hosted)
            return response
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        hosted.group.join(request.member_id, said, lambda joined: _set_result(answer, _join_response(request, joined)))
        self._hosting.schedule(hosted)
        return answer

    def _sync(self, node: "Node", request: Any) -> Any:
        code, hosted = self._hosting.find(node, request.group)
        if hosted is None:
            return request.RESPONSE_TYPE(0, code, b"")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        hosted.group.sync(
            request.member_id,
            request.generation_id,
            dict(request.group_assignment),
            lambda code, assignment: _set_result(answer, request.RESPONSE_TYPE(0, code, assignment)),
        )
        self._hosting.schedule(hosted)
        return answer

    def _heartbeat(self, node: "Node", request: Any) -> Any:
        code, hosted = self._hosting.find(node, request.group)
        if hosted is not None:
            code = hosted.group.heartbeat(request.member_id, request.generation_id)
        elif code is Code.COORDINATOR_LOAD_IN_PROGRESS:
            code = Code.NONE  # it cannot know better
        return request.RESPONSE_TYPE(0, code)

    def _leave(self, node: "Node", request: Any) -> Any:
        code, hosted = self._hosting.find(node, request.group)
        if hosted is not None:
            code = hosted.group.leave(request.member_id)
            self._hosting.schedule(hosted)
        return request.RESPONSE_TYPE(0, code)

    # -- offsets

    def _commit(self, node: "Node", request: Any) -> Any:
        generation = request.consumer_group_generation_id
        code, hosted = self._hosting.find(node, request.consumer_group)
        if code is Code.UNKNOWN_MEMBER_ID:
            code = Code.ILLEGAL_GENERATION
            if generation < 0:
                hosted = self._hosting.create(node, request.consumer_group)
        if hosted is not None:
            code = hosted.group.commit(request.consumer_id, generation)
        topics = []
        for topic, partitions in request.topics:
            answers = []
            for partition, offset, metadata in partitions:
                if not node.knows(topic, partition):
                    answers.append((partition, Code.UNKNOWN_TOPIC_OR_PARTITION))
                    continue
                if hosted is not None and code is Code.NONE:
                    hosted.offsets[topic, partition] = offset, metadata or ""
                answers.append((partition, code))
            topics.append((topic, answers))
        return request.RESPONSE_TYPE(0, topics)

    def _fetch(self, node: "Node", request: Any) -> Any:
        code, hosted = self._hosting.find(node, request.consumer_group)
        if code in {Code.NOT_COORDINATOR, Code.COORDINATOR_LOAD_IN_PROGRESS}:
            return request.RESPONSE_TYPE(0, [], code)
        offsets = hosted.offsets if hosted is not None else {}
        wanted = [(topic, [partition]) for topic, partition in offsets] if request.topics is None else request.topics
        topics = [
            (topic, [(each, *offsets.get((topic, each), _NO_OFFSET), Code.NONE) for each in partitions])
            for topic, partitions in wanted
        ]
        return request.RESPONSE_TYPE(0, topics, Code.NONE)


def _set_result(answer: "asyncio.Future[Any]", response: Any) -> None:
    if not answer.done():  # it is cancelled with its connection
        answer.set_result(response)


def _join_response(request: Any, joined: Joined) -> Any:
    members = [(member_id, None, metadata) for member_id, metadata in joined.members]
    return request.RESPONSE_TYPE(
        0, joined.code, joined.generation, joined.protocol, joined.leader, joined.member_id, members
    )
