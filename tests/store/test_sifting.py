"""Sifting: of a batch that the store refused every event is applied but those that it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from consumers.dead_letters.replay import REPLAYED_HEADER
from consumers.ingest.batch import Portion
from consumers.ingest.mending import MendedError, Mender
from consumers.ingest.sifting import sift
from consumers.kafka.aiokafka_private import HeaderName, MisnamedRecord
from consumers.metrics import ConsumerMetrics
from service.events.event import JobDeletion
from service.store.errors import RefusedError
from service.store.layout.heads import Progress
from service.store.layout.keys import project_prefix, stripe_of
from service.store.layout.projects import pack_meta, parse_meta
from service.store.write.writer import Step, StripeBatch
from tests.consumers.support import record_of
from tests.store.support import COLLIDING_USERS, Event, Store, assert_equals_oracle, event

PREFIX = project_prefix("project")
STRIPE = stripe_of("project")
TOPIC = TopicPartition("events", 0)
GOOD: list[Event] = [event(job, user_id=f"user{job % 3}", start_time_ms=job) for job in range(40)]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as aiokafka gives it."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 5
    headers: tuple[tuple[str, bytes], ...] = (("trace", b"1"),)


def records(events: Sequence[Event]) -> list[Portion]:
    """The records of events, from offset 0 on, in two portions."""
    found = [Record(offset, *record_of(each)) for offset, each in enumerate(events)]
    return [(TOPIC, found[:2]), (TOPIC, found[2:])]


async def helpless(refusal: RefusedError) -> None:
    """Stands for a Mender that can mend nothing."""


@pytest.fixture
async def refused_user(store: Store) -> Event:
    """An event of a user under whose key another is stored."""
    first, second = COLLIDING_USERS
    await store.writer.apply(1, [each.held(each.projects) for each in store.batches([event("known", user_id=first)])])
    return event("refused", user_id=second, user_name="new", event_time_ms=9_000)


async def test_refused_events_are_found_and_all_others_applied(store: Store, refused_user: Event) -> None:
    """Several of them, at both ends and side by side; the stripe stays where it was."""
    events = [refused_user, *GOOD[:20], refused_user, refused_user, *GOOD[20:], refused_user]
    batch = StripeBatch(STRIPE, [Step(0, 0, len(events), 7)], gaps=())
    letters = await sift(store.writer, 1, batch, records(events), helpless)
    assert [letter.offset for letter in letters] == [0, 21, 22, 43]
    key, value = record_of(refused_user)
    assert {(letter.key, letter.value, letter.reason, letter.topic, letter.partition) for letter in letters} == {
        (key, value, "refused", "events", 0)
    }
    assert {letter.detail for letter in letters} == {
        f"COLLISION users {COLLIDING_USERS[0]} and {COLLIDING_USERS[1]} share a key"
    }
    assert letters[0].headers == (("trace", b"1"),)
    assert (await store.writer.read_heads())[STRIPE].progress == (Progress(0, 0),)
    await assert_equals_oracle(store, GOOD, [("project", 0, 100, None)])


async def test_what_the_stripe_is_past_is_left_alone(store: Store, refused_user: Event) -> None:
    """A letter of it has been written already; to write it again would be for nothing."""
    await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, 0, 2, 7)])])
    batch = StripeBatch(STRIPE, [Step(0, 2, 4, 7)])
    letters = await sift(store.writer, 1, batch, records([refused_user, GOOD[0], refused_user, GOOD[1]]), helpless)
    assert [letter.offset for letter in letters] == [2]
    await assert_equals_oracle(store, [GOOD[1]], [("project", 0, 100, None)])


async def test_other_stripes_and_what_is_no_event_are_left_alone(store: Store) -> None:
    """Only the records of the stripe that refused its batch are sifted, and none whose headers are misnamed."""
    others = [event(1, project_id="project-2"), event(2)]
    misnamed = MisnamedRecord(3, 5, *record_of(event(3)), headers=[(HeaderName(b"\xff"), b"")])
    found = [*records(others), (TOPIC, [Record(2, None, b"no event"), misnamed])]
    assert await sift(store.writer, 1, StripeBatch(STRIPE, [Step(0, 0, 4, 7)]), found, helpless) == []
    await assert_equals_oracle(store, others[1:], [("project", None, None, None), ("project-2", None, None, None)])


async def mark(store: Store, hashes: int) -> None:
    """Leaves the project as a write that ended in part does."""
    assert isinstance(store.client, Redis)
    data = await store.client.get(f"{PREFIX}m")
    assert isinstance(data, bytes)
    await store.client.set(f"{PREFIX}m", pack_meta(replace(parse_meta(data), unfinished_hashes=hashes)))


async def test_a_write_that_ended_in_part_meanwhile_makes_no_letters(store: Store) -> None:
    """Another consumer's: the project is mended, the batch comes again, and all of it is applied."""
    await store.apply(GOOD[:20])
    mender = Mender(store.client, ConsumerMetrics(CollectorRegistry()), lambda: None)
    batch = StripeBatch(STRIPE, [Step(0, 20, 40, 7)])
    await mark(store, 1)
    with pytest.raises(MendedError):
        await sift(store.writer, 1, batch, records(GOOD), mender.mend)
    assert await sift(store.writer, 1, batch, records(GOOD), mender.mend) == []
    await assert_equals_oracle(store, GOOD, [("project", None, None, None)])


async def test_a_mark_that_somebody_else_has_taken_away_is_no_refusal(store: Store) -> None:
    """Two consumers meet it, and one comes too late: its batch is good."""
    await store.apply(GOOD)
    mender = Mender(store.client, ConsumerMetrics(CollectorRegistry()), lambda: None)
    with pytest.raises(MendedError):
        await mender.mend(RefusedError(STRIPE, "project", "MARKED a write of the project ended in part"))


async def test_fault_of_the_store_is_told_with_its_remedy(store: Store) -> None:
    """Events that stumble over damage are good, and so is a deletion: the letter tells how to send them again."""
    assert isinstance(store.client, Redis)
    await store.apply(GOOD)
    await store.client.setrange(f"{PREFIX}n:42:0", 1, bytes(21))
    moved = event(0, user_id="user0", sequence=1, start_time_ms=1)
    gone = JobDeletion("project", event(0).job_id)
    untouched = event("untouched")
    batch = StripeBatch(STRIPE, [Step(0, len(GOOD), len(GOOD) + 43, 7)])
    letters = await sift(store.writer, 1, batch, records([*GOOD, moved, untouched, gone]), helpless)
    assert [letter.offset for letter in letters] == [40, 42]
    assert letters[0].detail.startswith("DRIFT no such contribution in ")
    assert letters[0].detail.endswith("verify --repair`, then `python -m consumers replay-dead-letters`")
    await assert_equals_oracle(store, [untouched], [("project", 100, None, "user")])


async def test_remedy_for_an_event_that_was_sent_back_before(store: Store) -> None:
    """It is not sent back a second time unless that is asked for."""
    assert isinstance(store.client, Redis)
    await store.apply(GOOD)
    await store.client.setrange(f"{PREFIX}n:42:0", 1, bytes(21))
    key, value = record_of(JobDeletion("project", event(0).job_id))
    again = Record(len(GOOD), key, value, headers=((REPLAYED_HEADER, b"events/0/7"),))
    batch = StripeBatch(STRIPE, [Step(0, len(GOOD), len(GOOD) + 1, 7)])
    [letter] = await sift(store.writer, 1, batch, [(TOPIC, [again])], helpless)
    assert letter.detail.endswith("verify --repair`, then `python -m consumers replay-dead-letters --again`")
