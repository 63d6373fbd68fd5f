"""Live streams: what comes, when, and for whom."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from service.http.policy import HttpPolicy
from tests.api.streams import EAGER, STREAM, Event, LedStore, listening
from tests.api.support import AS_OF_MS, PATH, PROJECT, FakeStore, as_caller, served


async def test_the_answer_at_once_and_whenever_it_changes() -> None:
    """An event has the body of the resource, and its as-of; between changes a newer as-of alone is told."""
    store = LedStore()
    async with served(store, pace=EAGER) as api, listening(api, "?start=5&end=9") as stream:
        async with api.client.get(f"{PATH}?start=5&end=9", headers=as_caller()) as response:
            body, tag = await response.json(), response.headers["ETag"]
        first = await stream.next()
        assert first == Event(
            "statistics", tag.removeprefix('W/"').rstrip('"'), {"as_of": AS_OF_MS, "statistics": body}
        )
        store.as_of_ms += 7
        store.let_in.release()
        assert await stream.next() == Event("as_of", first.id, {"as_of": AS_OF_MS + 7})
        store.write()
        changed = await stream.next()
        assert changed is not None
        assert (changed.name, changed.running, changed.data["as_of"]) == ("statistics", 1, AS_OF_MS + 8)
        assert changed.id != first.id
        assert store.asked[1:] == [(PROJECT, 5, 9, None)] * 2


async def test_its_headers() -> None:
    """Those of every answer, also for pages of other origins; and what keeps proxies from holding events back."""
    policy = HttpPolicy(cors_origins=frozenset({"https://console.example"}))
    headers = {"Origin": "https://console.example", "X-Request-Id": "request-5"}
    async with served(policy=policy) as api, listening(api, headers=headers) as stream:
        got = stream.response.headers
        assert got["Content-Type"] == "text/event-stream"
        assert got["Cache-Control"] == "no-store, no-transform"
        assert got["X-Accel-Buffering"] == "no"
        assert got["X-Request-Id"] == "request-5"
        assert got["X-Content-Type-Options"] == "nosniff"
        assert got["Access-Control-Allow-Origin"] == "https://console.example"
        assert got["Vary"] == "X-Auth-Token, Origin"
        assert got["X-Statistics-As-Of"] == str(AS_OF_MS)
        assert "Content-Encoding" not in got


async def test_head_has_the_headers_alone() -> None:
    """And leaves no stream behind."""
    async with served() as api, api.client.head(STREAM, headers=as_caller()) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
        assert await response.read() == b""
        async with api.client.get("/metrics") as metrics:
            assert "\nstats_http_streams 0.0\n" in await metrics.text()


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 401),
        ("", as_caller(project_id="other"), 403),
        ("?start=x", as_caller(), 400),
        ("?start=2&end=1", as_caller(), 400),
        ("?interval=1d", as_caller(), 400),
    ],
)
async def test_what_is_no_question_is_an_error_as_elsewhere(query: str, headers: Any, status: int) -> None:
    """In JSON, before anything of a stream."""
    async with served() as api, api.client.get(STREAM + query, headers=headers) as response:
        assert response.status == status
        assert "error_code" in await response.json()


async def test_who_comes_back_with_the_id_has_the_answer() -> None:
    """From any process of the API it gets the as-of alone; with another id, the answer."""
    async with served(FakeStore()) as before, listening(before) as stream:
        first = await stream.next()
    assert first is not None
    assert first.id is not None
    async with served(FakeStore(as_of_ms=AS_OF_MS + 5)) as api:
        async with listening(api, headers={"Last-Event-ID": first.id}) as stream:
            assert await stream.next() == Event("as_of", first.id, {"as_of": AS_OF_MS + 5})
        async with listening(api, headers={"Last-Event-ID": "another"}) as stream:
            assert await stream.next() == Event("statistics", first.id, {**first.data, "as_of": AS_OF_MS + 5})


async def test_a_sub_user_sees_its_own_alone() -> None:
    """Streams of one range are as many questions as there are those who may see different figures."""
    store = LedStore()
    async with served(store, pace=EAGER) as api, AsyncExitStack() as stack:
        callers: list[dict[str, Any]] = [{}, {"sub": "other"}, {"sub": "a", "roles": []}, {"sub": "b", "roles": []}]
        streams = [await stack.enter_async_context(listening(api, **claims)) for claims in callers]
        for stream in streams:
            await stream.until("statistics")
        assert [user for *_, user in store.asked] == [None, "a", "b"]
        store.write()
        store.let_in.release()  # the look before had begun when there was the first stream alone
        events = [await stream.running(1) for stream in streams]
        assert ["users" in event.data["statistics"] for event in events] == [True, True, False, False]
        assert sorted(str(user) for *_, user in store.asked[3:]) == ["None", "a", "b"]


async def test_an_event_comes_though_nothing_changes() -> None:
    """So a client knows that the stream is alive; the as-of stays where it was."""
    async with served(pace=replace(EAGER, silence=0.05)) as api, listening(api) as stream:
        await stream.until("statistics")
        for _ in range(2):
            event = await stream.next()
            assert event is not None
            assert (event.name, event.data) == ("as_of", {"as_of": AS_OF_MS})
