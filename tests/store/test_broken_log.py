"""A server that lost power: its append-only file ends anywhere, inside of a script too, and then ends so again."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from redis.asyncio import Redis

from deploy.local.process import ChildFailedError
from service.store.audit.unfinished import mend_project
from service.store.errors import RefusedError
from service.store.layout.keys import stripe_of
from service.store.redis.client import create_writer_client
from service.store.write.batch import fold
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.conftest import require_part
from tests.consumers.support import RedisServer
from tests.servers import redis_programs
from tests.store.support import Event, Store, assert_equals_oracle, assert_no_drift, event

OPTIONS = ("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
STRIPE = stripe_of("project")
BATCH = 90
QUERIES = [("project", start, end, None) for start in (None, 40_000) for end in (None, 400_000, 5 << 42)]


def make_events(rnd: Random) -> list[Event]:
    """New jobs, changes of known ones, and renamings, in the order in which a topic has them."""
    return [
        event(
            number if rnd.random() < 0.6 else rnd.randrange(number + 1),
            event_time_ms=number,
            user_id=f"user{rnd.randrange(4)}",
            user_name=f"name{rnd.randrange(3)}",
            start_time_ms=rnd.randrange(600_000),
        )
        for number in range(1_500)
    ]


@pytest.fixture(params=["usual", "wheel", "valkey"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    """A server that syncs every write, so that what is cut off is what a loss of power takes."""
    programs = redis_programs(request.config.rootpath)
    require_part(request.param in programs, "a Valkey server: see tests/get-servers")
    server = RedisServer(tmp_path, OPTIONS, programs[request.param])
    yield server
    server.kill()


async def follow(server: RedisServer, events: list[Event], until: int) -> None:
    """Applies the topic's records up to there from where the head is, as a consumer does, in batches of its own."""
    client = create_writer_client(server.url, cluster=False)
    writer = StoreWriter(client)
    try:
        while True:
            head = (await writer.read_heads())[STRIPE]
            at = head.progress[0].next_offset if head.progress else 0
            if at >= until:
                return
            some = events[at : min(at + BATCH, until)]
            try:
                await writer.apply(1, [StripeBatch(STRIPE, [Step(0, at, at + len(some), 0)], fold(some)[STRIPE])])
            except RefusedError as error:
                await mend_project(client, error.project_id)
    finally:
        await client.aclose()


def lose_power(server: RedisServer, rnd: Random) -> None:
    """Ends the server, and its file somewhere inside of its last transactions."""
    server.kill()
    path = server.log_path
    data = path.read_bytes()
    begins = [at for at in range(len(data)) if data.startswith(b"*1\r\n$5\r\nMULTI\r\n", at)]
    if begins:
        begin = rnd.choice(begins[-2:])
        end = data.find(b"*1\r\n$4\r\nEXEC\r\n", begin)
        data = data[: rnd.randrange(begin + 1, end + 14)]
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(4))
async def test_power_lost_again_and_again_costs_no_event(server: RedisServer, seed: int) -> None:
    """After two losses of power in a row, and starts after each, every answer is a recount's."""
    rnd = Random(seed)
    events = make_events(rnd)
    reached = 0
    for _ in range(4):
        reached = min(len(events), reached + rnd.randrange(100, 400))
        await follow(server, events, reached)
        lose_power(server, rnd)
        server.start()
    await follow(server, events, len(events))
    for _ in range(2):  # planned starts: what the file says is all that there is
        server.kill()
        server.start()
        async with Redis.from_url(server.url) as client:
            await assert_equals_oracle(Store(client), events, QUERIES)
            await assert_no_drift(client, events)


async def test_power_lost_while_the_log_is_written_anew(server: RedisServer) -> None:
    """Redis may need a second start then; what it has afterwards is a beginning of what it had, and all is counted."""
    rnd = Random(5)
    events = make_events(rnd)
    await follow(server, events, 900)
    lose_power(server, rnd)
    server.start()
    async with Redis.from_url(server.url) as client:
        await client.config_set("rdb-key-save-delay", 1_000_000)  # so that it is not done soon
        await client.bgrewriteaof()
    server.kill()
    try:
        server.start()
    except ChildFailedError as error:
        assert "the truncated file is not the last file" in str(error)  # noqa: PT017 - where the cut fell decides
        server.start()
    await follow(server, events, len(events))
    async with Redis.from_url(server.url) as client:
        await assert_equals_oracle(Store(client), events, QUERIES)
        await assert_no_drift(client, events)
