"""Streams of a store that fails: what they tell, and that they go on."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from service.store.contract import Answer, Standing
from service.store.errors import LayoutError, StoreUnavailableError
from tests.api.streams import EAGER, STREAM, Event, LedStore, listening, metric, until
from tests.api.support import AS_OF_MS, FakeStore, as_caller, served

LIVELY = replace(EAGER, silence=0.05)
AWAY = StoreUnavailableError("connection refused")


async def test_it_stays_open_while_the_store_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """What it tells meanwhile is as old as it is; it goes on by itself, and the log has one line of it."""
    store = FakeStore()
    async with served(store, pace=LIVELY) as api, listening(api) as stream:
        first = await stream.until("statistics")
        store.error, store.written, store.as_of_ms = AWAY, 1, AS_OF_MS + 5
        for _ in range(3):
            assert await stream.next() == Event("as_of", first.id, {"as_of": AS_OF_MS})
        async with api.client.get(STREAM, headers=as_caller()) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert (await response.json())["error_code"] == "DLI.0012"
        store.error = None
        assert (await stream.running(1)).data["as_of"] == AS_OF_MS + 5
        async with listening(api) as another:
            assert (await another.until("statistics")).running == 1
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert sorted(told) == ["request failed: connection refused", "streams stand still: connection refused"]


async def test_a_question_that_fails_is_asked_again() -> None:
    """The look is answered, and the question is not; what was read before stays until it is."""
    store = LedStore()
    async with served(store, pace=LIVELY) as api, listening(api) as stream:
        await stream.until("statistics")
        store.refuses = AWAY
        store.write()
        while len(store.asked) < 2:
            assert (await stream.until("as_of")).data == {"as_of": AS_OF_MS}
        store.refuses = None
        store.let_in.release()
        assert (await stream.running(1)).data["as_of"] == AS_OF_MS + 1


async def test_no_stream_begins_of_a_store_that_is_away() -> None:
    """It is an error as of any other question, and nothing is left of it."""
    async with served(FakeStore(error=AWAY)) as api:
        for _ in range(20):  # more than a caller may have
            async with api.client.get(STREAM, headers=as_caller()) as response:
                assert response.status == 503
                assert (await response.json())["error_code"] == "DLI.0012"


async def test_clients_that_come_at_once_ask_once() -> None:
    """All wait for one answer; those who leave meanwhile take it from nobody."""
    store = FakeStore()
    store.gate.clear()
    async with served(store) as api, AsyncExitStack() as stack:
        waiting = [asyncio.create_task(stack.enter_async_context(listening(api, sub=f"u{n}"))) for n in range(10)]
        await store.entered.wait()
        waiting[0].cancel()
        store.gate.set()
        for stream in (await asyncio.gather(*waiting, return_exceptions=True))[1:]:
            assert not isinstance(stream, BaseException)
            await stream.until("statistics")
        assert len(store.asked) == 1


async def test_a_store_of_another_layout_ends_the_process() -> None:
    """As when a question meets it: the program then stops, and with it all streams."""
    store = FakeStore()
    async with served(store, pace=EAGER) as api, listening(api) as stream:
        await stream.until("statistics")
        store.error = LayoutError("layout 9")
        async with asyncio.timeout(30):
            while not api.misfits:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        api.draining.set()
        assert await stream.rest() == ["end"]
        assert len(api.misfits) == 1


async def test_a_fault_ends_streams_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody foresaw does not leave clients with a stream that stands still for ever."""
    store = FakeStore()
    async with served(store, pace=EAGER) as api:
        async with listening(api) as stream:
            await stream.until("statistics")
            store.error = ValueError("a fault")
            assert await stream.until("end") == Event("end", None, {"reason": "failed"})
            assert await stream.next() is None
        store.error = None
        async with listening(api) as stream:
            store.written = 1
            assert (await stream.running(1)).name == "statistics"
    assert [
        (record.getMessage(), bool(record.exc_info)) for record in caplog.records if record.levelname == "ERROR"
    ] == [("streams have failed", True)]


@dataclass
class SlowLooks(FakeStore):
    """A store whose looks see what there was when they began, and return when a test lets them."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    let_out: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def standing(self, project_id: str) -> Standing:
        """How it stood."""
        standing = await super().standing(project_id)
        self.begun.set()
        await self.let_out.acquire()
        return standing


async def test_the_as_of_never_goes_back() -> None:
    """A look that began before an answer was read, and returns after it, is the older of the two."""
    store = SlowLooks()
    async with served(store, pace=LIVELY) as api, listening(api) as stream:
        await stream.until("statistics")
        await store.begun.wait()
        store.error = AWAY  # of the next look, so that the next stream asks
        store.let_out.release()
        while len(store.looked) < 3:
            await stream.until("as_of")
        store.error = None
        store.begun.clear()
        await store.begun.wait()
        store.as_of_ms += 5
        async with listening(api) as another:
            assert (await another.until("statistics")).data["as_of"] == AS_OF_MS + 5
            looks = len(store.looked)
            store.let_out.release()
            while len(store.looked) == looks:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)
            for each in (stream, another):
                for _ in range(2):
                    event = await each.until("as_of")
                assert event.data["as_of"] == AS_OF_MS + 5


@dataclass
class SlowAnswers(FakeStore):
    """A store whose answers are read, and come when a test lets them."""

    let_out: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, *question: Any) -> Answer:
        """The answer as it was."""
        answer = await super().read(*question)
        await self.let_out.wait()
        return answer


async def test_a_question_that_nobody_wants_any_more_stops_no_other() -> None:
    """Its last stream leaves while it is asked anew, together with others: they are asked again after later changes."""
    store = SlowAnswers()
    store.let_out.set()
    async with served(store, pace=EAGER) as api, listening(api) as stays:
        await stays.until("statistics")
        async with listening(api, "?start=1") as leaves:
            await leaves.until("statistics")
            store.let_out.clear()
            store.written = 1
            await until(lambda: asyncio.sleep(0, len(store.asked) == 4))
        await until(lambda: metric(api, "stats_http_streams 1.0"))
        store.let_out.set()
        await stays.running(1)
        store.written = 2
        await stays.running(2)
