"""The commands on a Redis Cluster, of one primary and of three, each with a client that nobody has used yet."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import RedisCluster

from service.runtime.settings import ConsumerSettings
from service.store.layout.keys import project_prefix
from service.store.redis.client import create_writer_client
from tests.commands.support import run
from tests.store.support import Event, Query, Store, assert_equals_oracle, event

PROJECTS = [f"project-{number}" for number in range(40)]
EVENTS: list[Event] = [event(n, project_id=each, start_time_ms=n) for each in PROJECTS for n in range(200)]
QUERIES: list[Query] = [(each, None, None, None) for each in PROJECTS]


@pytest.fixture
def settings(any_cluster_url: str) -> ConsumerSettings:
    """Settings of commands on an empty cluster."""
    return ConsumerSettings.model_validate({"redis_url": any_cluster_url, "redis_cluster": "true"})


@pytest.fixture
async def filled(any_cluster_url: str) -> AsyncIterator[Store]:
    """A store with projects in many stripes."""
    client = create_writer_client(any_cluster_url, cluster=True)
    store = Store(client)
    await store.apply(EVENTS)
    yield store
    await client.aclose()


async def test_verify_and_repair(filled: Store, settings: ConsumerSettings, capsys: pytest.CaptureFixture[str]) -> None:
    """All projects are looked at; damage in one is found, mended, and then gone."""
    result = await run(settings, capsys, "verify", "--json")
    assert (result.code, result.document["projects"], result.document["drifts"]) == (0, len(PROJECTS), [])
    assert isinstance(filled.client, RedisCluster)
    await filled.client.set(f"{project_prefix(PROJECTS[7])}n:42:0", b"L")
    assert (await run(settings, capsys, "verify", "--json")).code == 1
    repaired = await run(settings, capsys, "verify", "--repair", "--json")
    assert (repaired.code, {drift["mended"] for drift in repaired.document["drifts"]}) == (0, {True})
    assert (await run(settings, capsys, "verify")).code == 0
    await assert_equals_oracle(filled, EVENTS, QUERIES)


async def test_discard_where_nothing_is_built(
    filled: Store, settings: ConsumerSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is live stays as it is."""
    assert (await run(settings, capsys, "rebuild", "--discard")).code == 0
    await assert_equals_oracle(filled, EVENTS, QUERIES)
