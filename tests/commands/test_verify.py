"""`verify`: every project of every stripe, what it finds, and what it mends."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from service.runtime.settings import ConsumerSettings
from service.store.generations import BuildingWriter, Generations
from service.store.layout.gaps import Gap
from service.store.layout.heads import Live, pack_head, parse_head
from service.store.layout.keys import STRIPES, gaps_key, head_key, project_prefix, projects_key, stripe_of, totals_key
from service.store.redis.client import create_writer_client
from service.store.write.writer import Step, StripeBatch
from tests.commands.support import run
from tests.store import damages
from tests.store.damages import EVENTS, LEAF, META, NAMES, TOP_LEAF, Damage
from tests.store.support import Query, Store, assert_equals_oracle, event, stored

Capture = pytest.CaptureFixture[str]
WHOLE: list[Query] = [("project", None, None, None)]


async def test_whole_store(store: Store, settings: ConsumerSettings, capsys: Capture) -> None:
    """Exit code 0, and how much was looked at; an empty store is whole, too."""
    assert (await run(settings, capsys, "verify", "--json")).document["projects"] == 0
    await store.apply([event(job, project_id=f"project-{job}") for job in range(200)])
    result = await run(settings, capsys, "verify", "--json")
    assert (result.code, result.err) == (0, "")
    document = result.document
    assert (document["projects"], document["job_records"], document["drifts"]) == (200, 200, [])


async def test_drift_of_any_project_is_found(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture
) -> None:
    """Exit code 1, and each drift by project, key and what is wrong; nothing is mended unasked."""
    await store.apply([event(1, project_id="other")])
    await damages.make_project(store)
    await damages.lose_entry(client)
    for _ in range(2):
        result = await run(settings, capsys, "verify", "--json")
        assert result.code == 1
        assert {
            "project_id": "project",
            "key": LEAF,
            "what": "lacks 1 contributions of its jobs, has 0 of none",
            "mended": False,
            "mendable": True,
        } in result.document["drifts"]
    result = await run(settings, capsys, "verify")
    assert f"drift   {LEAF}  lacks 1 contributions of its jobs, has 0 of none  [verify --repair mends it]" in result.out


async def test_one_project(store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture) -> None:
    """Only the project asked for is looked at; one that is not there is exit code 1."""
    await store.apply([event(1, project_id="other")])
    await damages.make_project(store)
    await damages.lose_entry(client)
    assert (await run(settings, capsys, "verify", "--project", "project")).code == 1
    result = await run(settings, capsys, "verify", "--project", "other", "--json")
    assert (result.code, result.document["projects"]) == (0, 1)
    result = await run(settings, capsys, "verify", "--project", "unknown", "--json")
    assert (result.code, result.document["projects"]) == (1, 0)
    assert (await run(settings, capsys, "verify", "--project", "unknown")).out.startswith(
        "there is no project unknown\n"
    )


async def test_repair(store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture) -> None:
    """What was found is mended: exit code 0, every answer right, and nothing more to find."""
    await damages.make_project(store)
    for damage in (damages.lose_entry, damages.change_top, damages.lose_top):
        await damage(client)
    result = await run(settings, capsys, "verify", "--repair", "--json")
    drifts = result.document["drifts"]
    assert result.code == 0
    assert {LEAF, TOP_LEAF} <= {drift["key"] for drift in drifts}
    assert all(drift["mended"] for drift in drifts)
    await assert_equals_oracle(store, EVENTS, WHOLE)
    assert (await run(settings, capsys, "verify", "--json")).document["drifts"] == []


async def test_what_cannot_be_mended(store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture) -> None:
    """A lost name is left with exit code 1 and its remedy; the rest is mended all the same."""
    await damages.make_project(store)
    await damages.lose_entry(client)
    await damages.lose_name(client)
    result = await run(settings, capsys, "verify", "--repair")
    assert result.code == 1
    [left] = [line for line in result.out.splitlines() if "[takes a rebuild]" in line and NAMES in line]
    [mended] = [line for line in result.out.splitlines() if LEAF in line]
    assert left.startswith("drift   ")
    assert mended.endswith("[mended]")


async def test_gaps_and_unwritten_stripes_are_no_drift(
    store: Store, settings: ConsumerSettings, capsys: Capture
) -> None:
    """They are listed, each gap once whatever the number of its stripes, and the exit code is 0."""
    gaps = [Gap(2, 10, 90, 1_532_605_670_471)]
    batches = [StripeBatch(stripe, [Step(2, 0, 90, 0)], gaps=gaps) for stripe in range(1, STRIPES)]
    await store.writer.apply(3, batches)
    result = await run(settings, capsys, "verify", "--json")
    assert (result.code, result.document["unwritten_stripes"]) == (0, [0])
    [gap] = result.document["gaps"]
    assert (gap["partition"], gap["from_offset"], gap["to_offset"], gap["reason"]) == (2, 10, 90, "deleted")
    assert gap["stripes"] == list(range(1, STRIPES))
    out = (await run(settings, capsys, "verify")).out
    assert "gap     partition 2, offsets 10 to 89, deleted, found 2018-07-26T11:47:50.471Z, 63 stripes" in out
    assert "stripes without any progress: 0\n" in out


PROJECTS = ["project", "other", "third"]  # of three stripes
STRIPE = stripe_of("project")
LIST = projects_key(STRIPE, 0)


async def make_projects(store: Store) -> None:
    """Three projects, and gaps in every stripe."""
    await damages.make_project(store)
    await store.apply([event(1, project_id=project) for project in PROJECTS[1:]])


async def lose_head(client: Redis) -> None:
    await damages.rewrite(head_key(STRIPE), lambda head: head[:9])(client)


async def change_generation(client: Redis) -> None:
    head = parse_head(await stored(client, head_key(STRIPE)))
    await client.set(head_key(STRIPE), pack_head(replace(head, live=Live(generation=5))))


async def change_horizon(client: Redis) -> None:
    head = parse_head(await stored(client, head_key(STRIPE)))
    await client.set(head_key(STRIPE), pack_head(replace(head, live=Live(horizon_ms=1 << 40))))


async def change_layout(client: Redis) -> None:
    await client.setrange(head_key(STRIPE), 0, b"\x63")


@pytest.mark.parametrize(
    "damage",
    [lose_head, change_generation, change_horizon, change_layout, damages.make_foreign(head_key(STRIPE))],
)
async def test_damaged_head(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture, damage: Damage
) -> None:
    """Its projects are named, as nothing of them can be read; those of other stripes are audited, and mended.

    A generation that the head is made to name has no totals, and is given some.
    """
    await make_projects(store)
    await damage(client)
    await client.set(f"{project_prefix('other')}n:42:0", b"L")
    result = await run(settings, capsys, "verify", "--repair", "--json")
    assert result.code == 1
    drifts = result.document["drifts"]
    mended = {(drift["project_id"], drift["key"]) for drift in drifts if drift["mended"]}
    assert {project for project, _ in mended - {(None, totals_key(STRIPE, 5))}} == {"other"}
    left = [drift for drift in drifts if not drift["mended"]]
    assert ("project", head_key(STRIPE)) in {(drift["project_id"], drift["key"]) for drift in left}
    assert {drift["key"] for drift in left} == {head_key(STRIPE)}
    assert not any(drift["mendable"] for drift in left)
    assert "[takes a snapshot, or the stripe anew]" in (await run(settings, capsys, "verify")).out
    assert (await run(settings, capsys, "verify", "--project", "project")).code == 1
    assert (await run(settings, capsys, "verify", "--project", "other")).code == 0


async def unlist(client: Redis) -> None:
    await client.srem(LIST, "project")


async def list_what_is_none(client: Redis) -> None:
    await client.sadd(LIST, b"\xff", "a:b", "", "other")


@pytest.mark.parametrize("damage", [unlist, list_what_is_none, damages.make_foreign(LIST)])
async def test_damaged_list_of_projects(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture, damage: Damage
) -> None:
    """Every project that has keys is audited all the same; the list is mended."""
    await make_projects(store)
    await damage(client)
    await client.set(LEAF, b"L")
    result = await run(settings, capsys, "verify", "--json")
    assert (result.code, result.document["projects"]) == (1, 3)
    assert {LIST, LEAF} <= {drift["key"] for drift in result.document["drifts"]}
    assert all(drift["mendable"] for drift in result.document["drifts"])
    assert (await run(settings, capsys, "verify", "--repair")).code == 0
    assert await client.smembers(LIST) == {b"project"}
    assert (await run(settings, capsys, "verify", "--json")).document["drifts"] == []


async def test_listed_project_without_any_key(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture
) -> None:
    """It was listed in the call that wrote it: it is lost."""
    await make_projects(store)
    await client.delete(*[key async for key in client.scan_iter("*:other:*")])
    for more in ([], ["--project", "other"], ["--repair"]):
        result = await run(settings, capsys, "verify", "--json", *more)
        if "--project" in more:
            assert (result.code, result.document["projects"]) == (1, 1)
        [drift] = result.document["drifts"]
        assert (drift["project_id"], drift["what"], drift["mendable"]) == (
            "other",
            "is missing, and the project is listed",
            False,
        )


@pytest.mark.parametrize(
    "found",
    [
        (damages.make_foreign(gaps_key(STRIPE, 0)), "is no string"),
        (damages.rewrite(gaps_key(STRIPE, 0), lambda rows: rows[:-1]), "has 57 bytes"),
        (damages.rewrite(gaps_key(STRIPE, 0), lambda rows: rows[:-1] + b"\x09"), "has an unknown reason in row 1: 9"),
        (damages.rewrite(gaps_key(STRIPE, 0), lambda rows: rows[:12] + rows[4:12] + rows[20:]), "no range of offsets"),
    ],
)
async def test_damaged_ledger_of_gaps(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture, found: tuple[Damage, str]
) -> None:
    """A finding that takes a rebuild; rows that can be read are listed."""
    gaps = [Gap(0, 0, 5, 1_000), Gap(0, 7, 9, 1_000)]
    await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, 0, 9, 0)], gaps=gaps)])
    damage, what = found
    await damage(client)
    result = await run(settings, capsys, "verify", "--repair")
    assert result.code == 1
    [line] = [line for line in result.out.splitlines() if line.startswith("drift")]
    assert (gaps_key(STRIPE, 0) in line, what in line, line.endswith("[takes a rebuild]")) == (True, True, True)


async def test_whole_store_on_a_cluster(redis_cluster_url: str, settings: ConsumerSettings, capsys: Capture) -> None:
    """Types, lists and keys are asked for there as well."""
    client = create_writer_client(redis_cluster_url, cluster=True)
    async with aclosing(client):
        await client.flushall()
        await client.get("any")
        store = Store(client)
        await store.apply(EVENTS)
        await client.delete(NAMES, LIST)
        await client.rpush(NAMES, "x")
        await client.set(LEAF, b"")
        changed = settings.model_copy(update={"redis_url": redis_cluster_url, "redis_cluster": True})
        result = await run(changed, capsys, "verify", "--repair", "--json")
    left = [drift["key"] for drift in result.document["drifts"] if not drift["mended"]]
    assert (result.code, result.document["projects"], set(left)) == (1, 1, {NAMES})
    assert {LIST, LEAF} <= {drift["key"] for drift in result.document["drifts"]}


async def test_no_false_alarm_while_projects_begin(store: Store, settings: ConsumerSettings, capsys: Capture) -> None:
    """Heads, lists and ledgers are written all the while: none is taken for damaged."""
    names = [name for name in (f"new-{number}" for number in range(400)) if stripe_of(name) != STRIPE]

    async def flow() -> None:
        for number, name in enumerate(names):
            await store.apply([event(1, project_id=name)])
            step = Step(0, 9 * number, 9 * number + 9, 0)
            gaps = [Gap(0, step.expected_offset, step.expected_offset + 5, 1_000)]
            await store.writer.apply(1, [StripeBatch(STRIPE, [step], gaps=gaps)])

    flowing = asyncio.create_task(flow())
    drifts = []
    while not flowing.done():
        drifts += (await run(settings, capsys, "verify", "--json")).document["drifts"]
    await flowing
    assert drifts == []
    result = await run(settings, capsys, "verify", "--json")
    assert (result.document["projects"], len(result.document["gaps"])) == (len(names), 256)


async def test_generations_beside_the_live_one_are_no_drift(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture
) -> None:
    """Neither one that is being built, nor one that is retired, wholly there or deleted in part."""
    await make_projects(store)
    generations = Generations(client)
    await generations.begin(await generations.look())
    building = await generations.look()
    heads = await store.writer.read_heads()
    ends = [head.progress[0].next_offset if head.progress else 0 for head in heads]
    writer = BuildingWriter(client, building)
    batches = {batch.stripe: batch.projects for batch in store.batches(EVENTS)}
    await writer.apply(
        1,
        [
            StripeBatch(stripe, [Step(0, 0, end, 0)], batches.get(stripe, ()), generation=1)
            for stripe, end in enumerate(ends)
        ],
    )
    codes = [(await run(settings, capsys, "verify")).code]
    assert await generations.swap(building) == []
    codes.append((await run(settings, capsys, "verify")).code)
    await client.delete(LIST, LEAF)
    codes.append((await run(settings, capsys, "verify")).code)
    await generations.delete_retired()
    codes.append((await run(settings, capsys, "verify")).code)
    assert codes == [0, 0, 0, 0]


async def test_names_are_printed_with_the_prefix(redis_flushed: str, capsys: Capture) -> None:
    """With STATS_REDIS_KEY_PREFIX what is shown can be looked up in Redis."""
    settings = ConsumerSettings.model_validate({"redis_url": redis_flushed, "redis_key_prefix": "a:"})
    client = create_writer_client(redis_flushed, cluster=False, key_prefix="a:")
    assert isinstance(client, Redis)
    async with aclosing(client), Redis.from_url(redis_flushed) as admin:
        await damages.make_project(Store(client))
        inspected = (await run(settings, capsys, "inspect", "project/job-1", "--json")).document
        keys = {each["key"] for each in [inspected, *inspected["buckets"]]}
        assert await admin.exists(*keys) == len(keys)
        await damages.lose_entry(client)
        assert f"drift   a:{LEAF}  lacks" in (await run(settings, capsys, "verify")).out
        drift, *_ = (await run(settings, capsys, "verify", "--json")).document["drifts"]
        assert await admin.exists(drift["key"])
        await admin.set(f"a:{META}", b"damaged")
        assert f"damaged: a:{META} " in (await run(settings, capsys, "inspect", "project/job-1")).out
