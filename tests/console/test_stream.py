"""The page's end of the live stream: how it reads, and what it does when the other end fails."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from tests.api.support import TOTALS, USER
from tests.browser import visit
from tests.console.stub_stream import Connection, StubService, stub_service

# What the page is told, in the order in which it is told; and a page that can be hidden.
_LISTEN = """async () => {
  const { listen } = await import("/app/core/stream.js");
  window.page = Object.assign(new EventTarget(), { hidden: false });
  window.hide = hidden => { page.hidden = hidden; page.dispatchEvent(new Event("visibilitychange")); };
  window.told = [];
  told.waits = 0;
  told.push = text => { told[told.length] = text; told.wake?.(); };
  told.until = async isTrue => { while (!isTrue()) await new Promise(done => { told.wake = done; }); };
  window.stop = new AbortController();
  window.over = listen({
    url: "/stream?start=1", token: "a token", language: "zh-cn", signal: stop.signal, documentRef: page,
    random: () => { told.wake?.(); told.waits += 1; return 0; },
    onStatistics: ({ users, totals, asOfMs, gaps }) =>
      told.push(`statistics ${users[0].name} ${totals.finished} ${totals.inputBytes} ${gaps} ${asOfMs}`),
    onAsOf: asOfMs => told.push(`as of ${asOfMs}`), onState: state => told.push(state),
    onEnd: kind => told.push(`end ${kind}`),
  });
}"""
_FIRST = ["connecting", "open", "statistics 测试 7 9223372036854775807 0 1000"]
_SECOND = "statistics 测试 8 9223372036854775807 0 2000"


@pytest.fixture
async def stub() -> AsyncIterator[StubService]:
    """A server of streams."""
    async with stub_service() as service:
        yield service


@pytest.fixture
async def page(browser: Browser, stub: StubService) -> AsyncIterator[Page]:
    """A page whose time stands still until a test moves it on."""
    async with visit(browser, stub.origin) as visited:
        await visited.page.clock.install(time=0)
        await visited.page.clock.pause_at(1_000)
        yield visited.page


@pytest.fixture
async def connection(page: Page, stub: StubService) -> Connection:
    """A page that listens, and has the first figures."""
    await page.evaluate(_LISTEN)
    connection = await stub.asked()
    await say_figures(connection, 7, 1000)
    await told(page, *_FIRST)
    return connection


def figures(finished: int, as_of_ms: int) -> str:
    """What an event says whose answer is of one user, with bytes that no double holds."""
    statistics = {
        "users": [{**USER, "finished_num": finished}],
        **TOTALS,
        "total_finished_num": finished,
    }
    return json.dumps({"as_of": as_of_ms, "statistics": statistics}, ensure_ascii=False)


async def say_figures(connection: Connection, finished: int, as_of_ms: int) -> None:
    """The answer has changed."""
    await connection.say("statistics", figures(finished, as_of_ms), f"id-{as_of_ms}")


async def told(page: Page, *wanted: str) -> None:
    """Waits until the page was told as much: this and nothing else."""
    await asyncio.wait_for(page.evaluate("number => told.until(() => told.length >= number)", len(wanted)), 30)
    assert await page.evaluate("told") == list(wanted)


async def waits(page: Page, times: int) -> None:
    """Waits until the page has begun to wait for so many times."""
    await asyncio.wait_for(page.evaluate("times => told.until(() => told.waits === times)", times), 30)


async def test_events_are_read_however_they_are_cut(page: Page) -> None:
    """All ends of lines, comments, data of many lines, ids: the same whether bytes come at once or one by one."""
    text = (
        "\ufeff: a comment\r\nevent: one\r\nid: 1\r\ndata: 测试\r\n\r\ndata\rdata:b\rdata:  c\r\r"
        "event: nothing\n\nid: a\0b\nid\nretry: 9\nodd\ndata: 𝄞: é\n\nevent: cut\ndata: off"
    )
    wanted = [["one", "测试", "1"], ["message", "\nb\n c", "1"], ["message", "𝄞: é", ""]]
    read = """async bytes => {
      const { eventsOf } = await import("/app/core/event_parser.js");
      const read = async pieces => {
        const body = new ReadableStream({ start(to) { pieces.forEach(each => to.enqueue(each)); to.close(); } });
        const events = [];
        for await (const { type, data, id } of eventsOf(body)) events.push([type, data, id]);
        return JSON.stringify(events);
      };
      const all = Uint8Array.from(bytes);
      const cuts = [...bytes.keys()].map(at => read([all.slice(0, at), all.slice(at)]));
      const seen = new Set(await Promise.all([...cuts, read([...all].map(byte => Uint8Array.of(byte)))]));
      return [...seen].map(each => JSON.parse(each));
    }"""
    assert await page.evaluate(read, list(text.encode())) == [wanted]


async def test_it_asks_with_the_token_in_a_header(connection: Connection) -> None:
    """Which an EventSource cannot send; the address has none."""
    wanted = {"X-Auth-Token": "a token", "X-Language": "zh-cn", "Accept": "text/event-stream"}
    assert {name: connection.headers[name] for name in wanted} == wanted
    assert "Last-Event-ID" not in connection.headers


async def test_what_is_said_is_passed_on(page: Page, connection: Connection) -> None:
    """Figures and heartbeats, whatever kinds of events stand between them."""
    await connection.say("as_of", '{"as_of": 1500}')
    await connection.say("a kind of later", "no JSON")
    await say_figures(connection, 8, 2000)
    await told(page, *_FIRST, "as of 1500", _SECOND)


async def test_a_break_within_a_character_is_mended(page: Page, stub: StubService, connection: Connection) -> None:
    """Half an event is none. The next connection says how far the page has heard."""
    whole = f"id: id-2000\nevent: statistics\ndata: {figures(8, 2000)}\n\n".encode()
    await connection.send(whole[: whole.index("试".encode()) + 1])
    connection.break_off()
    await told(page, *_FIRST, "broken")
    await page.clock.run_for(500)
    again = await stub.asked()
    assert again.headers["Last-Event-ID"] == "id-1000"
    await say_figures(again, 8, 2000)
    await told(page, *_FIRST, "broken", "open", _SECOND)


@pytest.mark.parametrize(
    "garbage",
    [
        b"event: statistics\ndata: {\n\n",
        b'event: as_of\ndata: {"as_of": 1, "\xff": 1}\n\n',
        b'event: statistics\ndata: {"as_of": 1, "statistics": {}}\n\n',
        b"<!doctype html>",
    ],
    ids=["not JSON", "not UTF-8", "not an answer", "another page"],
)
async def test_garbage_is_a_break(page: Page, stub: StubService, connection: Connection, garbage: bytes) -> None:
    """What cannot be read changes nothing, and the page asks again."""
    await connection.send(garbage)
    if garbage.startswith(b"<"):
        connection.close()
    await told(page, *_FIRST, "broken")
    await page.clock.run_for(500)
    await say_figures(await stub.asked(), 8, 2000)
    await told(page, *_FIRST, "broken", "open", _SECOND)


async def test_silence_is_a_break(page: Page, stub: StubService, connection: Connection) -> None:
    """Three heartbeats that did not come: the page lets go of the connection, and asks for another."""
    await page.clock.run_for(44_000)
    await connection.say("as_of", '{"as_of": 1500}')
    await told(page, *_FIRST, "as of 1500")
    await page.clock.run_for(44_000)
    assert await page.evaluate("told.length") == len(_FIRST) + 1
    await page.clock.run_for(2_000)
    await told(page, *_FIRST, "as of 1500", "broken")
    await asyncio.wait_for(connection.gone.wait(), 30)
    await stub.asked()


async def test_a_service_that_never_answers_is_a_break(page: Page, stub: StubService) -> None:
    """Also before the first byte."""
    await page.evaluate(_LISTEN)
    hanging = await stub.asked()
    await page.clock.run_for(46_000)
    await told(page, "connecting", "broken")
    await asyncio.wait_for(hanging.gone.wait(), 30)


async def test_it_waits_as_long_as_it_is_told(page: Page, stub: StubService, connection: Connection) -> None:
    """No sooner than `Retry-After` says, also when the page was hidden meanwhile; without it later and later."""
    connection.close()
    await told(page, *_FIRST, "broken")
    await page.clock.run_for(500)
    (await stub.asked()).refuse(503, Retry_After="100")
    await waits(page, 2)
    await page.evaluate("hide(true); hide(false)")
    for times, wait_ms in enumerate((101_000, 500, 1_000, 2_000), 3):
        await page.clock.run_for(wait_ms - 1)
        assert stub.connections.empty(), wait_ms
        await page.clock.run_for(1)
        (await stub.asked()).refuse(502)
        await waits(page, times)


@pytest.mark.parametrize(("status", "kind"), [(401, "signed-out"), (403, "forbidden"), (400, "invalid")])
async def test_a_refusal_is_the_end(page: Page, stub: StubService, status: int, kind: str) -> None:
    """Nothing is asked again where the answer would be the same."""
    await page.evaluate(_LISTEN)
    (await stub.asked()).refuse(status)
    await told(page, "connecting", "off", f"end {kind}")
    await page.evaluate("over")
    assert stub.connections.empty()


@pytest.mark.parametrize("reason", ["expired", "revoked"])
async def test_a_token_that_ends_is_the_end(page: Page, connection: Connection, reason: str) -> None:
    """The service says so itself."""
    await connection.say("end", json.dumps({"reason": reason}))
    await told(page, *_FIRST, "off", "end signed-out")
    await page.evaluate("over")


async def test_a_service_that_stops_is_left_quietly(page: Page, stub: StubService, connection: Connection) -> None:
    """Another process takes over: nothing to warn of, unless that one does not answer."""
    await page.clock.run_for(11_000)
    await connection.say("end", '{"reason": "stopping"}')
    await told(page, *_FIRST, "connecting")
    await page.clock.run_for(500)
    (await stub.asked()).refuse(503)
    await told(page, *_FIRST, "connecting", "broken")


async def test_a_hidden_page_asks_nothing(page: Page, stub: StubService, connection: Connection) -> None:
    """It lets go of the connection; seen again, it has a new one without waiting."""
    await page.evaluate("hide(true)")
    await asyncio.wait_for(connection.gone.wait(), 30)
    await told(page, *_FIRST, "off")
    await page.clock.run_for(100_000)
    assert stub.connections.empty()
    await page.evaluate("hide(false)")
    await say_figures(await stub.asked(), 8, 2000)
    await told(page, *_FIRST, "off", "connecting", "open", _SECOND)


async def test_it_stops_when_it_is_told_to(page: Page, stub: StubService, connection: Connection) -> None:
    """Without a word of an end, and for good."""
    await page.evaluate("stop.abort(); over")
    await asyncio.wait_for(connection.gone.wait(), 30)
    await told(page, *_FIRST, "off")
    await page.clock.run_for(100_000)
    assert stub.connections.empty()
