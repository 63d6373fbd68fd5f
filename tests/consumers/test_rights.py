"""Everything over mutual TLS, as the users of Redis that docs/operating.md names: no right is missing, none unused."""

import json
import logging
import re
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from consumers.commands.frame import COMMANDS, create_parser
from consumers.commands.terminal import Terminal
from consumers.policy import policy_of
from consumers.upkeep.sweeping import DAY_MS
from deploy.local.servers import free_port, start_redis
from deploy.local.waiting import eventually
from service.runtime.settings import ConsumerSettings
from service.store.errors import StoreDeniedError, StoreUnavailableError
from service.store.layout.keys import project_prefix
from service.store.read.client import create_reader_client, create_reader_store
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import create_writer_client
from service.store.write.rights import check_rights
from tests.certificates import Authority
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import Event, publish, running_consumer
from tests.consumers.test_scrub import mended, scrubbing
from tests.docs import code_lines, documents, quoted
from tests.oracle import Oracle
from tests.redis_cluster import empty_cluster
from tests.servers import redis_program
from tests.store.support import Store, acl, assert_equals_oracle, assert_no_drift, event

PASSWORD = "s3cr3t"
USERS = {
    line.split()[1]: line.replace("PASSWORD", PASSWORD).split()[2:]
    for line in code_lines(documents()["docs/operating.md"])
    if re.match(r"user stats-", line)
}


@dataclass(frozen=True)
class TlsRedis:
    """A Redis that wants certificates; `port` is that of its TLS. The admin's client goes another way."""

    port: int
    admin: Redis
    authority: Authority
    query: str

    def url(self, user: str) -> str:
        """The URL for one of the documented users."""
        return f"rediss://{user}:{PASSWORD}@localhost:{self.port}/0?{self.query}"

    @property
    def cafile(self) -> str:
        """The file of its CA's certificate."""
        return str(self.authority.cafile)

    async def used(self) -> set[str]:
        """The commands that were run since the statistics were reset, by whomever and within scripts."""
        stats = await self.admin.info("commandstats")
        return {name.removeprefix("cmdstat_") for name in stats}


@pytest.fixture(scope="module")
def tls_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, Authority]]:
    """The ports of a Redis, plain and with TLS, and the CA of both sides."""
    folder = tmp_path_factory.mktemp("tls")
    authority, plain, tls = Authority(folder), free_port(), free_port()
    server = authority.issue("localhost")
    options = ["--tls-port", str(tls), "--tls-cert-file", str(server.certfile), "--tls-key-file", str(server.keyfile)]
    options += ["--tls-ca-cert-file", str(authority.cafile), "--tls-auth-clients", "yes", "--appendonly", "yes"]
    child = start_redis(redis_program(), plain, folder / "redis", folder / "redis.log", options)
    yield plain, tls, authority
    child.stop()


@pytest.fixture
async def tls_redis(tls_port: tuple[int, int, Authority]) -> AsyncIterator[TlsRedis]:
    """An empty Redis with TLS and the documented users."""
    plain, tls, authority = tls_port
    ours = authority.issue("client")
    async with Redis(port=plain) as admin:
        await admin.flushall()
        await admin.script_flush()
        for name, rules in USERS.items():
            await acl(admin, "SETUSER", name, "reset", *rules)
        await acl(admin, "LOG", "RESET")
        await admin.config_resetstat()
        yield TlsRedis(tls, admin, authority, f"ssl_certfile={ours.certfile}&ssl_keyfile={ours.keyfile}")


def granted(user: str) -> set[str]:
    """The commands that the documented line grants."""
    return {rule[1:] for rule in USERS[user] if rule.startswith("+")}


async def run(settings: ConsumerSettings, *argv: str) -> int:
    """Runs a command in this process."""
    arguments: Namespace = create_parser().parse_args(argv)
    return await COMMANDS[arguments.command].run(settings, arguments, Terminal(arguments.json))


async def test_documented_users_can_do_all_and_no_more(
    tls_redis: TlsRedis, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """Ingest, retention, the scrub, each command and each kind of question; the server has denied nothing."""
    now_ms = time.time_ns() // 1_000_000
    events: list[Event] = [
        event(job, user_id=f"user{job % 4}", start_time_ms=now_ms - job * DAY_MS // 100) for job in range(1_000)
    ]
    plain = make_settings(tls_redis.url("stats-consumer"), redis_cafile=tls_redis.cafile)
    with_retention = plain.model_copy(update={"retention_days": 3, "kafka_group_id": f"other-{topic}"})
    async with running_consumer(plain) as running:
        await publish(kafka_bootstrap, topic, events)
        await running.wait_counted(events)
    prefix = project_prefix("project")
    assert await run(plain, "inspect", f"project/{events[0].job_id}") == 0
    await tls_redis.admin.rename(f"{prefix}n:42:0", "{x}")
    assert await run(plain, "verify") == 1
    assert await run(plain, "verify", "--repair") == 0
    await tls_redis.admin.rename(f"{prefix}n:42:0", "{x}")
    url = tls_redis.url("stats-consumer")
    async with aclosing(create_writer_client(url, False, cafile=tls_redis.cafile)) as client:
        assert isinstance(client, Redis)
        async with scrubbing(client) as registry:
            await eventually(lambda: mended(registry) > 0, "the scrub mends")
    policy = replace(policy_of(with_retention), sweep_seconds=0.2)
    async with running_consumer(with_retention, policy=policy) as running:
        await eventually(lambda: running.count("forgotten_jobs") > 0, "older jobs leave")
    assert await run(plain, "rebuild") == 0
    used = await tls_redis.used()
    assert granted("stats-consumer") - used == set()

    await tls_redis.admin.config_resetstat()
    async with create_reader_store(tls_redis.url("stats-api"), False, cafile=tls_redis.cafile) as store:
        await store.ping()
        oracle = Oracle(events)
        for query in (("project", None, None, None), ("project", now_ms - DAY_MS, None, "user1"), ("none", 1, 2, None)):
            assert json.loads((await store.read(*query)).body) == oracle.answer(*query)
    assert granted("stats-api") - await tls_redis.used() == set()
    assert await tls_redis.admin.acl_log() == []


@pytest.mark.parametrize("command", ["get", "mget", "hgetall"])
async def test_api_is_not_ready_without_what_questions_need(tls_redis: TlsRedis, command: str) -> None:
    """Its probe names the command."""
    await acl(tls_redis.admin, "SETUSER", "stats-api", f"-{command}")
    async with aclosing(create_reader_client(tls_redis.url("stats-api"), False, cafile=tls_redis.cafile)) as client:
        with pytest.raises(StoreDeniedError, match=f"'{command}' command; grant it"):
            await RedisStatisticsStore(client).ping()


@pytest.mark.parametrize("command", sorted(granted("stats-consumer") - {"info", "bgrewriteaof"}))
async def test_consumer_is_not_ready_without_a_command(tls_redis: TlsRedis, command: str) -> None:
    """Each command that it needs is tried before anything is written, and named; the two others are only warned of."""
    await acl(tls_redis.admin, "SETUSER", "stats-consumer", f"-{command}")
    url = tls_redis.url("stats-consumer")
    async with aclosing(create_writer_client(url, False, cafile=tls_redis.cafile)) as client:
        with pytest.raises(StoreDeniedError, match=f"(?i){re.escape(command)}.*; grant it"):
            await check_rights(client)
    assert [key async for key in tls_redis.admin.scan_iter()] == []


async def test_consumer_says_what_is_denied_and_goes_on_once_it_is_granted(
    tls_redis: TlsRedis,
    make_settings: MakeSettings,
    kafka_bootstrap: str,
    topic: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It stays not ready meanwhile, and loses nothing; also where the right is taken away while it runs."""
    caplog.set_level(logging.INFO, "consumers")
    first, second = [event(job) for job in range(100)], [event(job) for job in range(50, 150)]
    await acl(tls_redis.admin, "SETUSER", "stats-consumer", "-hset", "-append")
    settings = make_settings(tls_redis.url("stats-consumer"), redis_cafile=tls_redis.cafile)
    async with running_consumer(settings) as running:
        await publish(kafka_bootstrap, topic, first)
        said = "the user of Redis may not run APPEND, HSET; grant it to the user of STATS_REDIS_URL"
        await eventually(
            lambda: said in {vars(each).get("detail") for each in caplog.records}, "it says what is denied"
        )
        await running.wait_not_ready(["redis"])
        await eventually(lambda: running.count("resyncs", reason="StoreDeniedError") > 3, "it tries again and again")
        assert caplog.messages.count("starting again from the store's offsets") == 1
        await acl(tls_redis.admin, "SETUSER", "stats-consumer", "+hset", "+append")
        await running.wait_counted(first)
        await running.wait_not_ready([])
        over = "the outage is over, and reading goes on"
        await eventually(lambda: caplog.messages.count(over) == 1, "it says that it is over")  # with the claims written
        assert "Kafka is not usable, trying again" not in caplog.messages
        await acl(tls_redis.admin, "SETUSER", "stats-consumer", "-evalsha")
        await publish(kafka_bootstrap, topic, second)
        await running.wait_not_ready(["redis"])
        await acl(tls_redis.admin, "SETUSER", "stats-consumer", "+evalsha")
        await running.wait_counted([*first, *second])
        await eventually(lambda: caplog.messages.count(over) == 2, "it says that each is over")


async def test_redis_is_named_beside_kafka(tls_redis: TlsRedis, make_settings: MakeSettings) -> None:
    """While a consumer has no partitions, one page tells of both: that Redis denies us, and that it is away."""
    nowhere, url = f"127.0.0.1:{free_port()}", tls_redis.url("stats-consumer")
    for redis_url, missing in (
        (url, ["kafka"]),
        (url.replace(PASSWORD, "wrong"), ["kafka", "redis"]),
        (f"rediss://127.0.0.1:{free_port()}/0", ["kafka", "redis"]),
    ):
        settings = make_settings(redis_url, redis_cafile=tls_redis.cafile, kafka_bootstrap_servers=nowhere)
        async with running_consumer(settings) as running:
            assert await running.consumer.not_ready() == missing


async def test_denials_are_told_apart(tls_redis: TlsRedis, tmp_path: Path) -> None:
    """TLS and logins that fail are no outage that passes: the text says what to do."""
    right = tls_redis.url("stats-api")
    await acl(tls_redis.admin, "SETUSER", "stats-api", "+select")
    for url, cafile, said in (
        (right, str(Authority(tmp_path).cafile), "certificate is not trusted .*STATS_REDIS_CAFILE"),
        (
            right.replace("localhost", "127.0.0.1"),
            tls_redis.cafile,
            "of another name .*host in STATS_REDIS_URL",
        ),
        (right.replace("/0?", "/99?"), tls_redis.cafile, "correct the number of the database in STATS_REDIS_URL"),
        (right.partition("?")[0], tls_redis.cafile, "(refuses|wants another) .*ssl_certfile"),
        (right.replace("rediss", "redis").partition("?")[0], None, r"at once, .*TLS \(rediss://\)"),
        (right.replace(PASSWORD, "wrong"), tls_redis.cafile, "correct user and password in STATS_REDIS_URL"),
    ):
        async with aclosing(create_reader_client(url, False, cafile=cafile)) as client:
            with pytest.raises(StoreUnavailableError, match=said) as raised:
                await RedisStatisticsStore(client).ping()
            assert isinstance(raised.value, StoreDeniedError) or "ends connections at once" in str(raised.value)
    lenient = f"{right.replace('localhost', '127.0.0.1')}&ssl_check_hostname=false"
    async with aclosing(create_reader_client(lenient, False, cafile=tls_redis.cafile)) as client:
        await RedisStatisticsStore(client).ping()
    async with aclosing(create_reader_client(f"{right}&ssl_cert_reqs=none", False)) as client:
        await RedisStatisticsStore(client).ping()


@pytest.mark.parametrize("service", ["", "/stats"], ids=["server", "sentinel"])
async def test_a_port_without_tls_is_told_from_a_host_that_is_away(tls_redis: TlsRedis, service: str) -> None:
    """A plain Redis awaits the rest of a command, as which it takes the handshake: nothing ever comes."""
    scheme, plain = (
        "rediss+sentinel" if service else "rediss",
        tls_redis.admin.connection_pool.connection_kwargs["port"],
    )
    url = f"{scheme}://localhost:{plain}{service}/0"
    async with aclosing(create_writer_client(url, False, cafile=tls_redis.cafile)) as client:
        with pytest.raises(StoreUnavailableError, match="it may speak no TLS at this port"):
            await check_rights(client)


async def test_cluster_users(redis_cluster_url: str) -> None:
    """On a cluster the documented additions are enough for both users, and are needed."""
    text = documents()["docs/operating.md"]
    [line] = [line for line in text.splitlines() if line.startswith("- With `STATS_REDIS_CLUSTER=true`")]
    more, events = quoted(line)[1].split(), [event(job, user_id=f"user{job}") for job in range(9)]
    empty_cluster(redis_cluster_url)
    urls = {name: redis_cluster_url.replace("://", f"://{name}:{PASSWORD}@") for name in USERS}
    async with Redis.from_url(redis_cluster_url) as admin, AsyncExitStack() as stack:
        for name, rules in USERS.items():
            await acl(admin, "SETUSER", name, "reset", *rules, *more)
            stack.push_async_callback(acl, admin, "DELUSER", name)
        await acl(admin, "LOG", "RESET")
        writing = await stack.enter_async_context(aclosing(create_writer_client(urls["stats-consumer"], True)))
        reading = await stack.enter_async_context(aclosing(create_reader_client(urls["stats-api"], True)))
        await check_rights(writing)
        store = Store(writing)
        await store.apply(events)
        store.reader = RedisStatisticsStore(reading)
        await store.reader.ping()
        await assert_equals_oracle(store, events, [("project", None, None, None), ("project", 1, None, "user3")])
        await assert_no_drift(writing, events)
        assert await admin.acl_log() == []
        slots = more[0]
        await acl(admin, "SETUSER", "stats-api", slots.replace("+", "-"))
        async with aclosing(create_reader_client(urls["stats-api"], True)) as client:
            with pytest.raises(StoreDeniedError, match="grant"):
                await RedisStatisticsStore(client).ping()
        await acl(admin, "SETUSER", "stats-api", slots)
