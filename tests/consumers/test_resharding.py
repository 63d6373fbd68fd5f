"""Consumers and the API on a cluster whose slots are moved, and one of whose primaries ends, under load."""

import asyncio
from contextlib import aclosing

from redis.asyncio import RedisCluster

from deploy.local.process import is_ready
from deploy.local.servers import free_port
from deploy.local.waiting import eventually
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import STRIPES, head_key, stripe_of
from service.store.redis.client import create_writer_client
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import Event, environment_of, publish
from tests.oracle import Oracle
from tests.redis_cluster import ThreePrimaries, empty_cluster
from tests.servers import Processes
from tests.store.support import Store, assert_no_drift, event

MOVED, OTHERS = "project-0", [f"project-{number}" for number in range(1, 9)]


def wave(number: int, projects: list[str]) -> list[Event]:
    """Some jobs of each of these projects."""
    return [event(f"{number}-{n}", project_id=each, start_time_ms=number) for each in projects for n in range(20)]


async def test_consumer_goes_on_while_slots_move_and_a_primary_ends(
    three_primaries: ThreePrimaries,
    make_settings: MakeSettings,
    kafka_bootstrap: str,
    topic: str,
    processes: Processes,
) -> None:
    """The process stays; its stripes' heads move with their slot, and all events count in the end."""
    empty_cluster(three_primaries.url)
    settings, port = make_settings(three_primaries.url, redis_cluster="true"), free_port()
    environment = {**environment_of(settings), "STATS_REDIS_CLUSTER": "true", "STATS_METRICS_PORT": str(port)}
    consumer = await processes.start_ready("consumers", environment, port)
    client = create_writer_client(settings.redis_url, cluster=True)
    assert isinstance(client, RedisCluster)
    async with aclosing(client):
        store, published = Store(client), wave(0, [MOVED, *OTHERS])

        async def is_counted() -> bool:
            try:
                bodies = [await store.body(each) for each in (MOVED, *OTHERS)]
            except StoreUnavailableError:
                return False
            return bodies == [Oracle(published).answer(each) for each in (MOVED, *OTHERS)]

        await publish(kafka_bootstrap, topic, published)
        await eventually(is_counted, "all events are counted")
        written = {int(client.keyslot(head_key(stripe_of(each)))) for each in OTHERS}
        slots = {int(client.keyslot(head_key(stripe))) for stripe in range(STRIPES)} - written
        for number, slot in enumerate(sorted(slots), start=1):
            source, target = await asyncio.to_thread(three_primaries.open_slot, slot)
            more = wave(number, OTHERS)
            published += more
            await publish(kafka_bootstrap, topic, more)
            while await asyncio.to_thread(three_primaries.move_keys, slot, source, target, 3):
                consumer.check()
            await asyncio.to_thread(three_primaries.close_slot, slot, target)
        await eventually(is_counted, "all events are counted")
        slot = int(client.keyslot(head_key(stripe_of(MOVED))))
        ended = three_primaries.owner(slot)
        ended.kill()
        try:
            more = wave(99, [MOVED, *OTHERS])
            published += more
            await publish(kafka_bootstrap, topic, more)
            await eventually(is_counted, "all events are counted")
        finally:
            ended.start()
            await asyncio.to_thread(three_primaries.wait_well)
        consumer.check()
        assert is_ready(port)
        await assert_no_drift(client, published)
