"""The metrics of questions: the class of each answer, and the reason why there was none."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from deploy.local.servers import free_port
from service.store.errors import LayoutError, StoreUnavailableError
from service.store.layout.heads import LAYOUT_VERSION, Head, pack_head
from service.store.layout.keys import head_key, project_prefix, stripe_of
from service.store.layout.projects import Meta, pack_meta
from service.store.layout.tree import Shape
from service.store.read.client import create_reader_client
from service.store.read.known import KnownShape
from service.store.read.learning import Learning
from service.store.read.metrics import QueryMetrics
from service.store.read.reader import RedisStatisticsStore
from service.store.read.watched import WatchedStore
from tests.store.support import Store, ask, event, limited

HEAD, META = head_key(stripe_of("project")), f"{project_prefix('project')}m"


@dataclass
class Watched:
    """A watched store, and what its metrics say."""

    client: Redis
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        reader = RedisStatisticsStore(self.client)
        self.store = WatchedStore(reader, self.client, QueryMetrics(self.registry))

    async def ask(self, user_id: str | None = None) -> None:
        """Asks the same question as ever, and takes no answer for one."""
        with suppress(StoreUnavailableError, LayoutError):
            await self.store.read("project", None, None, user_id)

    def said(self, name: str) -> dict[str, float]:
        """The values of a metric that are not 0, by its label."""
        samples = [sample for family in self.registry.collect() for sample in family.samples]
        return {
            label: sample.value
            for sample in samples
            if sample.name == name and sample.value
            for label in sample.labels.values()
        }

    def classes(self) -> dict[str, float]:
        """The number of questions by class."""
        return self.said("stats_query_duration_seconds_count")

    def reasons(self) -> dict[str, float]:
        """The number of questions without an answer, by reason."""
        return self.said("stats_store_errors_total")


async def test_class_of_an_answer(store: Store, client: Redis) -> None:
    """A project not known takes two reads, then one; then a look."""
    await store.apply([event(1)])
    watched = Watched(client)
    for asked, expected in (
        (None, {"reread": 1}),
        ("user", {"reread": 1, "read": 1}),
        ("user", {"reread": 1, "read": 1, "looked": 1}),
    ):
        await watched.ask(asked)
        assert watched.classes() == expected
    assert watched.reasons() == {}


async def test_a_question_of_the_shortcut_counts_once(store: Store, client: Redis) -> None:
    """Whether it is read, told of, or read after what was remembered holds no more; and one without an answer."""
    await store.apply([event(1)])
    watched, same = Watched(client), ("project", None, None, None)
    for query, expected in (
        (same, {"reread": 1}),
        (same, {"reread": 1, "looked": 1}),
        (("project", 1, None, None), {"reread": 1, "looked": 2}),
    ):
        await ask(watched.store, query)
        assert watched.classes() == expected
    await store.apply([event(2)])
    await ask(watched.store, same)
    assert watched.classes() == {"reread": 1, "looked": 2, "read": 1}
    await damaged(client)
    for failed, asked in enumerate((same, ("project", 2, None, "user")), start=1):
        with pytest.raises(StoreUnavailableError):
            await ask(watched.store, asked)
        assert watched.classes() == {"reread": 1, "looked": 2, "read": 1, "failed": failed}
        assert watched.reasons() == {"damaged": failed}


async def test_a_series_is_a_class_of_its_own(store: Store, client: Redis) -> None:
    """Whatever it takes to know the project; one that has no answer is a question that failed."""
    await store.apply([event(1)])
    watched = Watched(client)
    await watched.store.series("project", [0, 1], None, None)
    assert watched.classes() == {"series": 1}
    await damaged(client)
    with suppress(StoreUnavailableError):
        await watched.store.series("project", [0, 1], None, None)
    assert (watched.classes(), watched.reasons()) == ({"series": 1, "failed": 1}, {"damaged": 1})


async def denied(redis: Redis) -> None:
    await redis.execute_command("ACL", "SETUSER", "part", "-mget")  # type: ignore[no-untyped-call]


async def evicting(redis: Redis) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")


async def damaged(redis: Redis) -> None:
    await redis.set(META, b"none")


async def unfinished(redis: Redis) -> None:
    await redis.set(META, pack_meta(Meta(bytes(8), bytes(8), bytes(8), 1, 1, 1)))


async def of_another_layout(redis: Redis) -> None:
    await redis.set(HEAD, pack_head(Head(LAYOUT_VERSION + 1, ())))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (denied, "denied"),
        (evicting, "evicting"),
        (damaged, "damaged"),
        (unfinished, "unfinished"),
        (of_another_layout, "layout"),
    ],
)
async def test_reason_why_there_is_no_answer(
    store: Store, client: Redis, redis_flushed: str, spoil: Callable[[Redis], Awaitable[None]], reason: str
) -> None:
    """Each is told from the others, and counts as a question that failed."""
    await store.apply([event(1)])
    async with limited(redis_flushed, "~*", "+@all") as part:
        watched = Watched(part)
        try:
            await spoil(client)
            await watched.store.look()
            await watched.ask()
        finally:
            await client.config_set("maxmemory-policy", "noeviction")
    assert watched.reasons() == {reason: 1}
    assert watched.classes() == {"failed": 1}


async def test_a_store_that_is_away() -> None:
    """Nobody answers: the time until that was known is a question's, too."""
    client = create_reader_client(f"redis://127.0.0.1:{free_port()}/0", cluster=False)
    watched = Watched(client)  # type: ignore[arg-type]
    await watched.ask()
    await client.aclose()
    assert (watched.reasons(), watched.classes()) == ({"away": 1}, {"failed": 1})


async def test_a_project_that_changes_all_the_time(
    store: Store, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under each read it has another shape."""
    await store.apply([event(1)])

    async def change(*_: object) -> KnownShape:
        return KnownShape(b"", Shape())

    monkeypatch.setattr(Learning, "shape", change)
    watched = Watched(client)
    await watched.ask()
    assert (watched.reasons(), watched.classes()) == ({"changed": 1}, {"failed": 1})
