"""Whatever the client library raises while it talks to Redis is an outage, whoever asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from service.store.audit.findings import WrongMembers
from service.store.audit.repair import repair_project
from service.store.audit.repair_lists import mend_list
from service.store.audit.scope import survey
from service.store.audit.unfinished import mend_project
from service.store.errors import StoreUnavailableError
from service.store.generations import Generations
from service.store.layout.heads import Claim, Head
from service.store.redis.clock import measure_lead_ms
from service.store.retention import Sweeper
from service.store.write.gaps import read_gaps
from service.store.write.topic_name import check_topic_name, claim_topic_name
from service.store.write.writer import StoreWriter
from tests.store.support import Store, event
from tests.store.test_retention import no_pause

ATTEMPTS: dict[str, Callable[[Redis], Awaitable[object]]] = {
    "heads": lambda client: StoreWriter(client).read_heads(),
    "batch": lambda client: Store(client).apply([event()]),
    "claim": lambda client: StoreWriter(client).claim(1, Claim(1, b"\1"), {0: bytes(8)}, 0),
    "name": lambda client: check_topic_name(client, "topic"),
    "new name": lambda client: claim_topic_name(client, "topic"),
    "clock": lambda client: measure_lead_ms(client, lambda: 0),
    "gaps": lambda client: read_gaps(client, [Head(3, (), gaps=1)]),
    "sweep": lambda client: Sweeper(client).sweep(0, no_pause),
    "look": lambda client: Generations(client).look(),
    "delete": lambda client: Generations(client).delete_retired(),
    "survey": lambda client: survey(client, None),
    "survey of one": lambda client: survey(client, "project"),
    "list": lambda client: mend_list(client, WrongMembers("{s00}:projects", frozenset({"project"}))),
    "repair": lambda client: repair_project(client, "project"),
    "mend": lambda client: mend_project(client, "project"),
}


@pytest.fixture
async def failing(redis_flushed: str) -> AsyncIterator[Redis]:
    """A client in which the library comes upon a fault of its own with each reply."""

    def fail(*_: Any, **__: Any) -> None:
        raise AttributeError("a fault of the library's own")

    async with Redis.from_url(redis_flushed) as client:
        for name in ("GET", "MGET", "EVALSHA", "INFO", "SMEMBERS", "SCAN", "EXISTS"):
            client.set_response_callback(name, fail)
        yield client


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_fault_of_the_library_is_an_outage(failing: Redis, attempt: str) -> None:
    """It is waited for, and said with its type."""
    with pytest.raises(StoreUnavailableError, match=r"AttributeError: a fault of the library"):
        await ATTEMPTS[attempt](failing)
