"""A list of projects that is of another type."""

from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from consumers.ingest.mending import MendedError, Mender
from consumers.metrics import ConsumerMetrics
from deploy.local.waiting import eventually
from service.store.errors import RefusedError
from service.store.layout.keys import projects_key, stripe_of
from service.store.layout.projects import parse_meta
from tests.consumers.test_scrub import EVENTS, WHOLE, mended, scrubbing
from tests.store.damages import META
from tests.store.support import Store, assert_equals_oracle, event, stored

BEFORE = 0  # a stripe that a scrub comes to before that of the project


async def test_the_scrub_goes_past_a_foreign_list(redis_flushed: str) -> None:
    """One list is of another type: the scrub makes it anew, and comes to a marked project behind it."""
    assert stripe_of("project") > BEFORE
    async with Redis.from_url(redis_flushed) as client:
        store = Store(client)
        await store.apply(EVENTS)
        hashes = parse_meta(await stored(client, META)).hashes
        await client.setrange(META, 36, hashes.to_bytes(4, "little"))
        await client.set(projects_key(BEFORE, 0), "foreign")
        async with scrubbing(client) as registry:
            await eventually(lambda: mended(registry) >= 2, "the list is mended, and the mark is gone", 10)
            await assert_equals_oracle(store, EVENTS, WHOLE)


async def test_a_foreign_list_makes_no_dead_letters(redis_flushed: str) -> None:
    """The first event of a project is refused, as the list for it is of another type: that is mended."""
    async with Redis.from_url(redis_flushed) as client:
        store = Store(client)
        await store.apply(EVENTS)
        key = projects_key(stripe_of("project"), 0)
        await client.delete(key)
        await client.set(key, "foreign")
        new = [event(1, project_id="other-100")]
        mender = Mender(client, ConsumerMetrics(CollectorRegistry()), lambda: None)
        try:
            await store.apply(new)
        except RefusedError as error:
            try:
                await mender.mend(error)
            except MendedError:
                await store.apply(new)
        assert await client.smembers(key) == {b"project", b"other-100"}
