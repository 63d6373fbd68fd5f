"""The API while its Redis comes and goes, and with clients that behave badly: right answers, or 503."""

import asyncio
from contextlib import AsyncExitStack

from deploy.local.waiting import eventually
from tests.chaos.rig import Rig
from tests.chaos.store import SERVICE
from tests.end_to_end.asking import Question
from tests.end_to_end.checks import make_questions
from tests.oracle import Oracle

CLIENTS = 1_000
UNFINISHED = 300


async def test_a_thousand_ask_while_redis_restarts(rig: Rig) -> None:
    """A thousand ask again and again: each answer is right or 503, and once Redis is back all get the answer."""
    async with rig.flowing():
        await rig.load.more(3_000)
    await rig.verify()
    # Past the proxy, which has one loop with the thousand: it would have no turn within the time that a read may take.
    rig.service = await rig.system.start_service(STATS_REDIS_URL=rig.store.direct_url_of(SERVICE))
    events = [record.event for record in rig.load.records if record.event is not None]
    oracle = Oracle(events)
    questions = (make_questions(rig.rnd, events, 40) * CLIENTS)[:CLIENTS]
    expected = {question: oracle.answer(*question) for question in set(questions)}
    heard: dict[int, set[int]] = {200: set(), 503: set()}  # who, by status
    ended = asyncio.Event()

    async def ask(number: int, question: Question) -> None:
        while not ended.is_set():
            status, _, body = await rig.system.get(question)
            assert status == 503 or (question, body) == (question, expected[question])
            heard[status].add(number)

    async with asyncio.TaskGroup() as group:
        for number, question in enumerate(questions):
            group.create_task(ask(number, question))
        await eventually(lambda: bool(heard[200]), "somebody has an answer")
        rig.store.kill()
        try:
            heard[503].clear()
            await eventually(lambda: len(heard[503]) == CLIENTS, "all hear that there is none")
        finally:
            rig.store.start()
        heard[200].clear()
        await eventually(lambda: len(heard[200]) == CLIENTS, "all have an answer")
        ended.set()


async def test_requests_that_never_end(rig: Rig) -> None:
    """Clients that send half a request, or a body without its end, keep nobody else from an answer."""
    halves = (b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"POST /healthz HTTP/1.1\r\nHost: a\r\n")
    body = b"Content-Length: 9\r\n\r\n1"
    async with AsyncExitStack() as stack:
        for number in range(UNFINISHED):
            _, writer = await asyncio.open_connection("127.0.0.1", rig.system.api_port)
            stack.callback(writer.close)
            writer.write(halves[number % 3] + (body if number % 3 == 2 else b""))
        await rig.verify()
