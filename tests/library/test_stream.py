"""The stream as an iterator: what it yields, and that it goes on where it broke off."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from gene_statistics import (
    InvalidAnswerError,
    Statistics,
    StatisticsClient,
    UnauthorizedError,
    UnreachableError,
    client,
)
from tests.api.support import AS_OF_MS, PROJECT
from tests.library.stub import OPEN, PATH, STATISTICS, Stub, answer, error, event, stream


def statistics(number: int, finished: int) -> bytes:
    """An event with that many jobs finished, `number` seconds after the first."""
    body = {**STATISTICS, "total_finished_num": finished}
    return event("statistics", {"as_of": AS_OF_MS + 1000 * number, "statistics": body}, number)


def as_of(number: int) -> bytes:
    return event("as_of", {"as_of": AS_OF_MS + 1000 * number}, number)


END = event("end", {}, 9)


async def take(stub: Stub, count: int, *script: bytes, source: Any = "t") -> list[Statistics]:
    """The first answers of a stream."""
    stub.script = list(script)
    got: list[Statistics] = []
    async with (
        StatisticsClient(stub.url, source) as asking,
        aclosing(asking.stream(PROJECT, start=5)) as answers,
    ):
        async for each in answers:
            got.append(each)
            if len(got) == count:
                break
    return got


async def collect(asking: StatisticsClient, got: list[Statistics]) -> None:
    async for each in asking.stream(PROJECT):
        got.append(each)


def seen(answers: list[Statistics]) -> list[tuple[int, int]]:
    return [((each.as_of_ms - AS_OF_MS) // 1000, each.total_finished_num) for each in answers]


async def test_changes_and_newer_instants(stub: Stub) -> None:
    """An event without a change repeats the answer with its instant; events that are not known are none."""
    unknown = event("later", {}, 3)
    got = await take(stub, 4, stream(as_of(0), statistics(0, 1), as_of(1), unknown, statistics(2, 7), as_of(3)))
    assert seen(got) == [(0, 1), (1, 1), (2, 7), (3, 7)]
    assert got[0].users == got[3].users
    assert stub.requests[0].startswith(f"GET {PATH}/stream?start=5 HTTP/1.1\r\n")
    assert stub.header("Accept") == ["text/event-stream"]


async def test_it_goes_on_after_a_break_with_the_last_id(stub: Stub) -> None:
    """After a reset, a 503, and the service's own end."""
    got = await take(
        stub,
        4,
        stream(statistics(1, 1), as_of(2)),
        error(503, "DLI.0012"),
        stream(statistics(3, 4), END),
        stream(as_of(5)),
    )
    assert seen(got) == [(1, 1), (2, 1), (3, 4), (5, 4)]
    assert stub.header("Last-Event-ID") == [None, "2", "2", "3"]


async def test_a_token_that_has_expired_is_renewed(stub: Stub) -> None:
    """The service ends the stream then, and refuses the token; without another token that is the error."""
    tokens = iter(["old", "new"])
    script = stream(statistics(1, 1), END), error(401, "DLI.0013"), stream(statistics(2, 2))
    assert seen(await take(stub, 2, *script, source=lambda: next(tokens))) == [(1, 1), (2, 2)]
    assert stub.header("X-Auth-Token") == ["old", "old", "new"]
    stub.requests.clear()
    with pytest.raises(UnauthorizedError):
        await take(stub, 2, *script)
    assert len(stub.requests) == 2


async def test_silence_is_a_break(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service says something every fifteen seconds, so a longer silence is a connection that is dead."""
    monkeypatch.setattr(client, "_SILENCE_SECONDS", 0.1)
    assert seen(await take(stub, 1, OPEN, stream(statistics(1, 1)))) == [(1, 1)]


async def test_what_passes_before_a_break_is_no_part_of_the_deadline(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the silence by which it is found, nor what the caller does in the loop."""
    monkeypatch.setattr(client, "_SILENCE_SECONDS", 1.1)
    stub.script = [stream(statistics(1, 1)) + OPEN, stream(statistics(2, 2)), stream(statistics(3, 3))]
    got: list[Statistics] = []
    async with (
        StatisticsClient(stub.url, "t", deadline_seconds=1.0) as asking,
        aclosing(asking.stream(PROJECT)) as all_,
    ):
        async for each in all_:
            got.append(each)
            if len(got) == 2:
                await asyncio.sleep(1.1)  # a caller that is slow
            if len(got) == 3:
                break
    assert seen(got) == [(1, 1), (2, 2), (3, 3)]


async def test_it_gives_up_after_the_deadline_without_an_event(stub: Stub) -> None:
    """What came before stays with the caller."""
    got: list[Statistics] = []
    stub.script = [stream(statistics(1, 1)), stream()]
    async with StatisticsClient(stub.url, "t", deadline_seconds=0.5) as asking:
        with pytest.raises(UnreachableError):
            await collect(asking, got)
    assert seen(got) == [(1, 1)]
    assert len(stub.requests) >= 2


@pytest.mark.parametrize(
    "script",
    [
        answer(),
        stream(event("statistics", [], 1)),
        stream(event("statistics", {"as_of": AS_OF_MS}, 1)),
        stream(event("statistics", {"as_of": "now", "statistics": STATISTICS}, 1)),
        stream(statistics(1, 1), event("as_of", {"as_of": -1}, 2)),
        stream(statistics(1, 1), event("as_of", {"as_of": 253_402_300_800_000}, 2)),
        stream(b"event: statistics\ndata: <html>\n\n"),
    ],
    ids=["no stream", "list", "no statistics", "as-of", "negative", "year 10000", "HTML"],
)
async def test_what_is_no_stream_is_not_believed(stub: Stub, script: bytes) -> None:
    """Nor asked for again."""
    with pytest.raises(InvalidAnswerError):
        await take(stub, 5, script)
    assert len(stub.requests) == 1


async def test_a_stream_that_is_left_is_closed(stub: Stub) -> None:
    """Its connection too, while the client stays open."""
    stub.script = [stream(statistics(1, 1)) + OPEN]
    async with StatisticsClient(stub.url, "t") as asking:
        async with aclosing(asking.stream(PROJECT)) as answers:
            assert seen([await anext(answers)]) == [(1, 1)]
        await asyncio.wait_for(stub.left.wait(), 10)
