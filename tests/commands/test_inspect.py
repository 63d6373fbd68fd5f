"""`inspect`: a job's record, and each bucket that it counts in."""

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from service.events.event import JobDeletion, JobStatus
from service.runtime.settings import ConsumerSettings
from service.store.layout.keys import head_key, stripe_of
from tests.commands.support import run
from tests.store import damages
from tests.store.damages import ALONE_MS, LEAF, META, NAMES, PREFIX, TOP_NODE, Damage
from tests.store.support import NOON_MS, Store, event, job_uuid

Capture = pytest.CaptureFixture[str]
HEAD = head_key(stripe_of("project"))


async def test_job_in_a_leaf(store: Store, settings: ConsumerSettings, capsys: Capture) -> None:
    """Everything that the store knows of the job, and every node from the topmost down to its leaf."""
    await damages.make_project(store)
    await store.apply([event("alone", user_id="user0", start_time_ms=ALONE_MS, sequence=3, status=JobStatus.FAILED)])
    result = await run(settings, capsys, "inspect", "project/alone", "--json")
    found = result.document
    assert result.code == 0
    assert (found["known"], found["is_deleted"], found["is_counted"], found["status"]) == (True, False, True, "FAILED")
    assert (found["sequence"], found["event_time_ms"], found["start_time_ms"]) == (3, 1_000, ALONE_MS)
    assert (found["input_size_bytes"], found["user_id"], found["user_name"]) == (7, "user0", "name")
    buckets = found["buckets"]
    assert (buckets[0]["key"], buckets[-1]["key"]) == (TOP_NODE, LEAF)
    assert [bucket["level"] for bucket in buckets] == [42, 36, 33, 30, 27]
    assert [bucket["is_inner"] for bucket in buckets] == [True, True, True, True, False]
    assert buckets[0]["jobs"] == {"RUNNING": 300, "FAILED": 1}
    assert (buckets[-1]["jobs"], buckets[-1]["size_bytes"]) == ({"FAILED": 1}, 7)
    assert all(bucket["start_ms"] <= ALONE_MS < bucket["end_ms"] for bucket in buckets)


async def test_job_in_a_millisecond(store: Store, settings: ConsumerSettings, capsys: Capture) -> None:
    """A job that counts in a single millisecond is found down there."""
    await damages.make_project(store)
    result = await run(settings, capsys, "inspect", "project/job-1", "--json")
    assert (result.code, result.document["buckets"][-1]["level"]) == (0, 0)
    assert result.document["buckets"][-1]["start_ms"] == NOON_MS + 1


async def test_text_for_people(store: Store, settings: ConsumerSettings, capsys: Capture) -> None:
    """Times are shown in UTC beside their numbers; ids that are UUIDs are found, too."""
    await store.apply([event(5)])
    result = await run(settings, capsys, "inspect", f"project/{job_uuid(5)}")
    assert "start time  1532605670471 (2018-07-26T11:47:50.471Z)" in result.out
    assert "user        user (name)" in result.out
    assert "1970-01-01T00:00:00.000Z to 2109-05-15T07:35:11.104Z  1 RUNNING, 7 bytes" in result.out
    assert result.out.endswith("it is counted\n")


async def test_deleted_job(store: Store, settings: ConsumerSettings, capsys: Capture) -> None:
    """Of a deleted job it is known that no event of it counts any more."""
    await store.apply([event("gone"), event("stays")])
    await store.apply([JobDeletion("project", "gone")])
    result = await run(settings, capsys, "inspect", "project/gone", "--json")
    assert (result.code, result.document["is_deleted"], result.document["buckets"]) == (0, True, [])
    assert "deleted" in (await run(settings, capsys, "inspect", "project/gone")).out


@pytest.mark.parametrize("job", ["project/unknown", "unknown/job-1"])
async def test_unknown_job(store: Store, settings: ConsumerSettings, capsys: Capture, job: str) -> None:
    """Exit code 1, whether the job or its project is unknown."""
    await damages.make_project(store)
    result = await run(settings, capsys, "inspect", job, "--json")
    assert (result.code, result.document) == (1, {"known": False})


async def test_job_that_is_not_counted(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture
) -> None:
    """An entry that its leaf has lost is drift: exit code 1."""
    await damages.make_project(store)
    await damages.lose_entry(client)
    result = await run(settings, capsys, "inspect", "project/alone")
    assert result.code == 1
    assert "NOT counted" in result.out


@pytest.mark.parametrize(
    "hidden",
    [
        (damages.make_foreign(META), META),
        (damages.rewrite(META, lambda meta: meta[:-1]), META),
        (damages.make_foreign(HEAD), HEAD),
        (damages.rewrite(HEAD, lambda head: head[:7]), HEAD),
    ],
)
async def test_damage_that_hides_the_job(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture, hidden: tuple[Damage, str]
) -> None:
    """Exit code 1, and the key that cannot be read."""
    damage, key = hidden
    await damages.make_project(store)
    await damage(client)
    result = await run(settings, capsys, "inspect", "project/alone", "--json")
    assert (result.code, result.document["known"], result.document["damaged"]["key"]) == (1, None, key)
    assert f"damaged: {key} " in (await run(settings, capsys, "inspect", "project/alone")).out


@pytest.mark.parametrize("change", [lambda _: b"", lambda record: record[:31] + b"\x06", lambda record: record + b"x"])
async def test_damaged_record(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture, change: Callable[[bytes], bytes]
) -> None:
    """A record that no event leaves is no record."""
    await store.apply([event(1)])
    [key, record] = await damages.first_record(client, 0)
    await client.hset(f"{PREFIX}j:0", key, change(record))
    result = await run(settings, capsys, "inspect", f"project/{job_uuid(1)}", "--json")
    assert (result.code, result.document["damaged"]["key"]) == (1, f"{PREFIX}j:0")
    await damages.make_foreign(f"{PREFIX}j:0")(client)
    result = await run(settings, capsys, "inspect", f"project/{job_uuid(1)}", "--json")
    assert (result.code, result.document["damaged"]) == (1, {"key": f"{PREFIX}j:0", "what": "is no hash"})


@pytest.mark.parametrize(
    "damage",
    [damages.make_foreign(NAMES), damages.rewrite_user(b""), damages.rewrite_user(b"\x05user0\xff")],
)
async def test_user_whose_name_cannot_be_read(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture, damage: Damage
) -> None:
    """The rest is shown."""
    await damages.make_project(store)
    await damage(client)
    result = await run(settings, capsys, "inspect", "project/alone")
    assert result.code == 0
    assert "user        without a name that can be read: drift" in result.out


@pytest.mark.parametrize("damage", [damages.make_foreign(LEAF), damages.rewrite(LEAF, lambda leaf: leaf[:-1])])
async def test_damaged_leaf(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture, damage: Damage
) -> None:
    """The job is not counted there."""
    await damages.make_project(store)
    await damage(client)
    result = await run(settings, capsys, "inspect", "project/alone")
    assert (result.code, "NOT counted" in result.out) == (1, True)
