"""`verify`: every project of every stripe, what it finds, and what it mends."""

import pytest
from redis.asyncio import Redis

from service.settings import ConsumerSettings
from service.store.gaps import Gap
from service.store.layout import STRIPES
from service.store.writer import Step, StripeBatch
from tests.commands.support import run
from tests.store import damages
from tests.store.damages import EVENTS, LEAF, NAMES, TOP_LEAF
from tests.store.support import Query, Store, assert_equals_oracle, event

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
