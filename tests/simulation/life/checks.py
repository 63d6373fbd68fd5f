"""What must hold in the end: answers, dead letters, the store's own order, and that nothing is left behind."""

import asyncio
from argparse import Namespace
from collections.abc import Mapping
from functools import partial
from random import Random

from consumers.commands import verify
from consumers.store_client import store_client
from consumers.upkeep.sweeping import DAY_MS, find_horizon_ms
from deploy.local.waiting import eventually
from service.store.generations import Generations
from service.store.layout.keys import STRIPES, stripe_of
from service.store.write.gaps import read_gaps
from tests.chaos.load import GROWING, GROWING_STEP_MS, MOVING, MOVING_SPAN_MS
from tests.end_to_end.asking import Question
from tests.end_to_end.checks import make_questions
from tests.end_to_end.publisher import now_ms
from tests.end_to_end.traffic import NOON_MS, PROJECTS, Event
from tests.simulation.kafka.records import Content
from tests.simulation.life.archive import Ledger, content_of
from tests.simulation.life.kinds import Kind
from tests.simulation.life.letters import check_letters, parse_letters
from tests.simulation.life.recount import Recount
from tests.simulation.life.terminal import QuietTerminal
from tests.simulation.life.world import LETTERS, TOPIC, World

_QUESTIONS = 60
_SERIES = 6
_NEAR_MIDNIGHT_MS = 60_000
_ALL = (*PROJECTS, GROWING, MOVING)


async def settle(world: World) -> None:
    """Waits until all that was acknowledged, and every transaction, is in the archive, and answers have it, too."""
    await eventually(world.archive.is_whole, "the topic can be read", within_seconds=60)
    lost = {content_of(each) for each in (*world.load.records, *world.returned)} - set(world.archive.contents.values())
    assert not lost, f"acknowledged, and lost by the model: {lost}"
    until_midnight_ms = DAY_MS - now_ms() % DAY_MS
    if until_midnight_ms < _NEAR_MIDNIGHT_MS:  # the horizon shall not move amid what follows
        await asyncio.sleep(until_midnight_ms / 1_000)
    settled_ms = now_ms() + 1
    for project in _ALL:
        await world.asking.ask_as_of((project, None, None, None), settled_ms)
    for project in _ALL:
        await eventually(partial(_has_horizon, world, project), "answers begin at the horizon")


async def _has_horizon(world: World, project: str) -> bool:
    _, headers, _ = await world.asking.get((project, None, None, None))
    return int(headers.get("X-Statistics-Horizon", 0)) == _horizon_ms(world)


def _horizon_ms(world: World) -> int:
    return find_horizon_ms(now_ms(), world.plan.retention_days)


async def read_ledgers(world: World) -> Mapping[int, Ledger]:
    """Returns the ledgers of gaps by stripe."""
    async with store_client(world.settings) as client:
        heads = (await Generations(client).look()).live
        return await read_gaps(client, heads)


async def check_answers(world: World) -> None:
    """Every answer is what a recount of all records is that its stripe has read, and says where it lacks some."""
    ledgers, events = await read_ledgers(world), world.known_events()
    assert world.plan.kind is Kind.SHORTENED or not ledgers, ledgers
    rnd = Random(world.plan.seed)
    for project in _ALL:
        recount = _recount(world, project, ledgers, events)
        start_ms = NOON_MS + rnd.randrange(MOVING_SPAN_MS)
        questions: list[Question] = [(project, None, None, None), (project, start_ms, None, None)]
        asked = make_questions(rnd, recount.events, _QUESTIONS)
        for question in [*questions, *((project, *each[1:]) for each in asked if project == each[0])]:
            _, headers, body = await world.asking.get(question)
            horizon_ms = _horizon_ms(world)
            named_ms = horizon_ms if horizon_ms > (question[1] or 0) else 0
            assert int(headers.get("X-Statistics-Horizon", 0)) == named_ms, (question, headers)
            recount.check(question, horizon_ms, body)
            gaps = len(ledgers.get(stripe_of(project), ()))
            assert int(headers.get("X-Statistics-Gaps", 0)) == gaps, (question, gaps, headers)
        if project in (GROWING, MOVING):
            await _check_series(world, project, recount, rnd)


async def _check_series(world: World, project: str, recount: Recount, rnd: Random) -> None:
    for _ in range(_SERIES):
        span_ms = GROWING_STEP_MS * world.load.known.growing.sent if project == GROWING else MOVING_SPAN_MS
        start_ms = NOON_MS + rnd.randrange(span_ms // 2)
        answer = await world.series.ask((project, start_ms, start_ms + rnd.randrange(1, span_ms), None))
        assert answer is not None
        _, points = answer
        recount.check_series(project, _horizon_ms(world), points)


def _recount(
    world: World, project: str, ledgers: Mapping[int, Ledger], events: Mapping[Content, Event | None]
) -> Recount:
    read = [events[content] for content in world.archive.read_by(ledgers, stripe_of(project))]
    return Recount([event for event in read if event is not None and event.project_id == project])


async def check_store(world: World) -> None:
    """`verify` finds no drift."""
    terminal = QuietTerminal()
    status = await verify.run(world.settings, Namespace(project=None, repair=False), terminal)
    assert (status, terminal.document["drifts"]) == (0, []), terminal.document


async def check_dead_letters(world: World) -> None:
    """The dead letters are exactly the records that are no events, but for those that nobody has ever read.

    A consumer sends a letter once, and again if its acknowledgement was lost: each fault may cost one more.
    """
    ledgers, events, archive = await read_ledgers(world), world.known_events(), world.archive
    unread = set.intersection(*(set(archive.named(ledgers.get(stripe, ()))) for stripe in range(STRIPES)))
    bad = {place: content for place, content in archive.contents.items() if events[content] is None}
    stored = [record for partition in range(2) for record in world.kafka.records(LETTERS, partition)]
    letters = [
        each
        for each in parse_letters([record.content() for record in stored], TOPIC)
        if (each.partition, each.offset) not in world.letters_made
    ]
    required = [(*place[1:], content) for place, content in bad.items() if place not in unread]
    at_most = len(world.launched) + len(world.plan.breakages)
    check_letters(letters, [(*place[1:], content) for place, content in bad.items()], required, at_most)


def check_tasks(world: World) -> None:
    """No process that has ended has left a task behind."""
    processes = [each.process for each in world.launched] + [each.process for each in world.services]
    for process in processes:
        if not process.is_dead:
            assert world.loop.tasks_of(process) == [], (process.name, world.loop.tasks_of(process))
