"""A member of a group that sends single requests, and keeps or does not keep to the rules as a case wants it."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaClient, TopicPartition
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError, NodeNotReadyError
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from aiokafka.protocol.group import (
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    SyncGroupRequest,
)

from deploy.local.waiting import eventually

OK, UNKNOWN_TOPIC, NOT_COORDINATOR = 0, 3, 16
ILLEGAL_GENERATION, INCONSISTENT_PROTOCOL, INVALID_GROUP, UNKNOWN_MEMBER, INVALID_SESSION = 22, 23, 24, 25, 26
REBALANCE, MEMBER_ID_REQUIRED = 27, 79


class Member:
    """Has a connection of its own, as a request that waits holds up those behind it."""

    def __init__(
        self, client: AIOKafkaClient, group: str, session_ms: int = 10_000, rebalance_ms: int = 10_000
    ) -> None:
        self._client = client
        self.group = group
        self.session_ms = session_ms
        self.rebalance_ms = rebalance_ms
        self.protocols: dict[str, bytes] = {"range": b"any"}
        self.node = -1
        self.id = ""
        self.generation = -1

    async def find(self) -> None:
        """Waits until the group has a coordinator."""

        async def is_found() -> bool:
            try:
                self.node = await self._client.coordinator_lookup(CoordinationType.GROUP, self.group)
            except (GroupCoordinatorNotAvailableError, NodeNotReadyError, KafkaConnectionError):
                return False
            return True

        await eventually(is_found, f"{self.group} has a coordinator")

    async def is_served(self) -> bool:
        """Whether the coordinator has read what it knows of groups."""
        return (await self.committed([]))[0] == OK

    async def ask(self, request: Any) -> Any:
        """The coordinator's response."""
        return await self._client.send(self.node, request, group=ConnectionGroup.COORDINATION)

    async def join_once(self) -> Any:
        """The response to a JoinGroup; the id and the generation in it are taken."""
        request = JoinGroupRequest(
            self.group,
            self.session_ms,
            self.rebalance_ms,
            self.id,
            None,
            "consumer",
            list(self.protocols.items()),
        )
        response = await self.ask(request)
        if response.error_code in {OK, MEMBER_ID_REQUIRED}:
            self.id, self.generation = response.member_id, response.generation_id
        return response

    async def join(self) -> Any:
        """The response to a JoinGroup, once the member has an id."""
        response = await self.join_once()
        return await self.join_once() if response.error_code == MEMBER_ID_REQUIRED else response

    async def sync(self, assignments: Mapping[str, bytes] | None = None) -> tuple[int, bytes]:
        """Code and assignment; the leader gives assignments by member."""
        given = list((assignments or {}).items())
        response = await self.ask(SyncGroupRequest(self.group, self.generation, self.id, None, given))
        return response.error_code, response.member_assignment or b""

    async def heartbeat(self) -> int:
        """The code that it gives."""
        response = await self.ask(HeartbeatRequest(self.group, self.generation, self.id))
        return int(response.error_code)

    async def leave(self) -> int:
        """The code that it gives."""
        return int((await self.ask(LeaveGroupRequest(self.group, self.id))).error_code)

    async def commit(self, tp: TopicPartition, offset: int) -> int:
        """The code that it gives."""
        topics = [(tp.topic, [(tp.partition, offset, "")])]
        response = await self.ask(OffsetCommitRequest(self.group, self.generation, self.id, -1, topics))
        [(_, [(_, code)])] = response.topics
        return int(code)

    async def committed(self, tps: list[TopicPartition] | None) -> tuple[int, dict[TopicPartition, int]]:
        """The code and the offsets of a group: of these partitions, or of all that it has."""
        topics = None if tps is None else [(tp.topic, [tp.partition]) for tp in tps]
        response = await self.ask(OffsetFetchRequest(self.group, topics))
        offsets = {TopicPartition(name, some[0]): some[1] for name, parts in response.topics for some in parts}
        return response.error_code, offsets

    async def alone(self) -> "Member":
        """Is the leader and only member of a stable group."""
        assert (await self.join()).error_code == OK
        assert await self.sync({self.id: b"all"}) == (OK, b"all")
        return self


@asynccontextmanager
async def member_of(bootstrap: str, group: str = "", **options: int) -> AsyncIterator[Member]:
    """A member that knows its coordinator, of a group of its own by default."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap, client_id="tester")
    await client.bootstrap()
    member = Member(client, group or f"group-{uuid.uuid4().hex}", **options)
    await member.find()
    await eventually(member.is_served, f"{member.group} is served")
    try:
        yield member
    finally:
        await client.close()
