"""Whatever is damaged in a store, `verify` names it and goes on, and `verify --repair` mends or names it."""

import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from service.runtime.settings import ConsumerSettings
from service.store.layout.gaps import Gap
from service.store.layout.keys import STRIPES, stripe_of
from service.store.read.reader import RedisStatisticsStore
from service.store.write.writer import Step, StripeBatch
from tests.commands.support import Result, run
from tests.oracle import Oracle
from tests.store.support import NOON_MS, Event, Store, event

Capture = pytest.CaptureFixture[str]

DAY_MS = 86_400_000
ROUNDS = 8
NEIGHBOURS = [name for name in (f"near-{number}" for number in range(2_000)) if stripe_of(name) == stripe_of("many")]
PROJECTS = ["many", "few", "one", *NEIGHBOURS[:2]]


def make_events() -> list[Event]:
    """Projects with one leaf, with leaves in several ages, and with inner nodes down to a millisecond."""
    many = [
        event(number, project_id="many", user_id=f"user{number % 3}", start_time_ms=NOON_MS + number % 5 * DAY_MS)
        for number in range(700)
    ]
    few = [
        event(number, project_id="few", user_id=f"user{number % 2}", start_time_ms=number << 43) for number in range(9)
    ]
    rest = [event(number, project_id=project) for project in ["one", *NEIGHBOURS[:2]] for number in range(3)]
    return [*many, *few, *rest]


EVENTS = make_events()
ORACLE = Oracle(EVENTS)
INTERVALS = [(None, None), (NOON_MS, NOON_MS + DAY_MS), (NOON_MS + 1, None), (0, 1 << 44)]
RIGHT = {(project, *interval): ORACLE.answer(project, *interval) for project in PROJECTS for interval in INTERVALS}

Dumps = dict[bytes, bytes]


@pytest.fixture
async def whole(store: Store, client: Redis) -> Dumps:
    """A healthy store of several projects, two of them with neighbours, and with gaps; as what DUMP gives."""
    for at in range(0, len(EVENTS), 300):
        await store.apply(EVENTS[at : at + 300])
    heads = await store.writer.read_heads()
    batches = [
        StripeBatch(stripe, [Step(0, at, at + 9, 0)], gaps=[Gap(0, at, at + 5, 1_000)])
        for stripe in range(STRIPES)
        for at in [heads[stripe].progress[0].next_offset if heads[stripe].progress else 0]
    ]
    await store.writer.apply(1, batches)
    return await dump(client)


async def dump(client: Redis) -> Dumps:
    """Every key of a store."""
    return {bytes(key): bytes(await client.dump(key)) async for key in client.scan_iter(count=1_000)}  # type: ignore[arg-type]


async def restore(client: Redis, dumps: Dumps) -> None:
    """A store as it was."""
    await client.flushall()
    async with client.pipeline(transaction=False) as pipeline:
        for key, data in dumps.items():
            pipeline.restore(key, 0, data)
        await pipeline.execute()


def spoil(data: bytes, random: Random) -> bytes:
    """Bytes that are shorter, longer, others, or the same but for a bit."""
    match random.randrange(5):
        case 0:
            return data[: random.randrange(len(data) + 1)]
        case 1:
            return data + random.randbytes(random.randrange(1, 40))
        case 2:
            return random.randbytes(len(data))
        case 3:
            return random.randbytes(random.randrange(12))
        case _ if not data:
            return b"\x00"
        case _:
            at = random.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


async def make_foreign(client: Redis, key: bytes, random: Random) -> None:
    kind = await client.type(key)
    await client.delete(key)
    match random.choice([each for each in (b"string", b"hash", b"set", b"list") if each != kind]):
        case b"string":
            await client.set(key, b"x")
        case b"hash":
            await client.hset(key, "a", "b")
        case b"set":
            await client.sadd(key, "a")
        case _:
            await client.rpush(key, "a")


async def spoil_value(client: Redis, key: bytes, random: Random) -> None:
    match await client.type(key):
        case b"string":
            await client.set(key, spoil(await client.get(key), random))  # type: ignore[arg-type]
        case b"hash":
            fields: Any = await client.hgetall(key)
            field = random.choice(sorted(fields))
            if random.randrange(2):
                await client.hset(key, field, spoil(fields[field], random))
            else:
                await client.hdel(key, field)
                await client.hset(key, spoil(field, random), fields[field])
        case _:
            members: Any = await client.smembers(key)
            member = random.choice(sorted(members))
            await client.srem(key, member)
            await client.sadd(key, spoil(member, random))


async def lose(client: Redis, key: bytes, _random: Random) -> None:
    await client.delete(key)


Damage = Callable[[Redis, bytes, Random], Awaitable[None]]
DAMAGES: list[Damage] = [make_foreign, spoil_value, spoil_value, lose]


async def right_projects(client: Redis) -> set[str]:
    """The projects of which a reader that remembers nothing gives every answer, and the right one."""
    right = set(PROJECTS)
    for (project, start_ms, end_ms), body in RIGHT.items():
        try:
            answer = await RedisStatisticsStore(client).read(project, start_ms, end_ms, None)
            is_right = json.loads(answer.body) == body
        except Exception:  # noqa: BLE001 - whatever it is, it is no answer
            is_right = False
        if not is_right:
            right.discard(project)
    return right


def named(result: Result) -> set[str]:
    """The projects that drifts are of; one of a stripe is of all that are in it."""
    found: set[str] = set()
    for drift in result.document["drifts"]:
        if drift["project_id"] is not None:
            found.add(drift["project_id"])
        else:
            found |= {project for project in PROJECTS if drift["key"].startswith(f"{{s{stripe_of(project):02d}}}")}
    return found


def parts(key: bytes) -> tuple[str, str]:
    """Project ("" for a stripe's own key) and name of a key in it."""
    _, _, rest = key.decode().partition("}")
    words = rest.split(":")
    return (words[1], words[2]) if len(words) > 2 else ("", words[1])


def choose(dumps: Dumps, random: Random) -> bytes:
    """A key of a kind that is as likely as any other, of a project or of its stripe."""
    stripes = tuple(f"{{s{stripe_of(project):02d}}}" for project in PROJECTS)
    kinds: dict[str, list[bytes]] = {}
    for key in sorted(dumps):
        if key.decode().startswith(stripes):
            kinds.setdefault(parts(key)[1], []).append(key)
    return random.choice(kinds[random.choice(sorted(kinds))])


def of_projects(dumps: Dumps, projects: set[str]) -> Dumps:
    """The keys of some projects."""
    return {key: data for key, data in dumps.items() if parts(key)[0] in projects}


@pytest.mark.parametrize("seed", range(12))
async def test_damage_of_any_keys(
    client: Redis, settings: ConsumerSettings, whole: Dumps, capsys: Capture, seed: int
) -> None:
    """One or two keys are lost, cut, changed or of another type: never an error, and never a wrong project unnamed.

    What a repair leaves takes a rebuild, and what it does not name is right, but for records that were changed: they
    are taken for the truth. Other projects are untouched.
    """
    random = Random(seed)
    for number in range(ROUNDS):
        await restore(client, whole)
        hurt = sorted({choose(whole, random) for _ in range(random.randrange(1, 3))})
        damages = [random.choice(DAMAGES) for _ in hurt]
        for damage, key in zip(damages, hurt, strict=True):
            await damage(client, key, random)
        what = (seed, number, [(key, damage.__name__) for key, damage in zip(hurt, damages, strict=True)])
        before = await right_projects(client)
        result = await run(settings, capsys, "verify", "--json")
        assert result.code == (1 if result.document["drifts"] else 0), what
        assert set(PROJECTS) - before <= named(result), what
        repaired = await run(settings, capsys, "verify", "--json", "--repair")
        after = await run(settings, capsys, "verify", "--json")
        assert not [drift for drift in after.document["drifts"] if drift["mendable"]], (what, after.document["drifts"])
        assert repaired.code == after.code == (1 if after.document["drifts"] else 0), what
        if not any(parts(key)[1] == "j" and damage is spoil_value for damage, key in zip(damages, hurt, strict=True)):
            assert set(PROJECTS) - await right_projects(client) <= named(after), what
        others = set(PROJECTS) - {parts(key)[0] for key in hurt}
        assert of_projects(await dump(client), others) == of_projects(whole, others), what
