"""The API while its Redis comes and goes, and with clients that behave badly: right answers, or 503."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from tests.chaos.rig import Rig
from tests.end_to_end.checks import make_questions
from tests.oracle import Oracle

CLIENTS = 1_000
UNFINISHED = 300


async def test_a_thousand_ask_while_redis_restarts(rig: Rig) -> None:
    """Each of a thousand who ask at once gets the right answer or 503, and once Redis is back all get the answer."""
    async with rig.flowing():
        await rig.load.more(3_000)
    await rig.verify()
    events = [record.event for record in rig.load.records if record.event is not None]
    oracle = Oracle(events)
    questions = (make_questions(rig.rnd, events, 40) * CLIENTS)[:CLIENTS]
    expected = {question: oracle.answer(*question) for question in set(questions)}

    async def ask_all(meanwhile: Callable[[], None] | None = None) -> set[int]:
        asking = [asyncio.create_task(rig.system.get(question)) for question in questions]
        if meanwhile is not None:
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            meanwhile()
        answers = await asyncio.gather(*asking)
        for question, (status, _, body) in zip(questions, answers, strict=True):
            assert status == 503 or (question, body) == (question, expected[question])
        return {status for status, _, _ in answers}

    assert await ask_all(meanwhile=rig.store.kill) == {200, 503}
    assert await ask_all(meanwhile=rig.store.start) <= {200, 503}
    assert await ask_all() == {200}


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
