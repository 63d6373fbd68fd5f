"""What clients may send over a raw socket, and what may become of it: answers, order, the log."""

import asyncio
import json
import logging
import re
import socket
from collections.abc import Iterator

import pytest

from service.http.aiohttp_private import ConnectionPolicy
from service.runtime.log import JsonFormatter
from tests.api.support import PATH, Api, FakeStore, as_caller, exchange, served, token

SECRET_PART = "s3cr3t"
GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
END = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
ASK = f"GET {PATH} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token()}\r\n\r\n".encode()


def statuses(answers: bytes) -> list[int]:
    """The statuses of answers, in order; all of them are HTTP/1.1."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]


@pytest.mark.parametrize(
    "bad", [b"bad\r\n\r\n", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", b"GET /" + b"a" * 40_000 + b"\r\n"]
)
async def test_good_requests_before_a_bad_one_are_answered(api: Api, bad: bytes) -> None:
    """Requests of one segment are answered in turn up to the bad one, which ends the connection."""
    assert statuses(await exchange(api.port, GOOD + GOOD.replace(b"/healthz", b"/x") + bad + GOOD)) == [200, 404, 400]


async def test_many_requests_at_once_are_answered_in_turn(api: Api) -> None:
    """More requests than the library queues are all answered, the bad one at their end too."""
    assert statuses(await exchange(api.port, GOOD * 200 + b"bad\r\n\r\n")) == [200] * 200 + [400]


async def test_requests_behind_a_body_are_answered(api: Api) -> None:
    """A body that looks like requests is none, wherever it is parted; what follows it is."""
    body = (GOOD + b"bad\r\n\r\n") * 1_000
    request = b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert statuses(await exchange(api.port, request + body + GOOD + END)) == [404, 200, 200]


@pytest.mark.parametrize(
    "unread",
    [b"Content-Length: 200000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"],
    ids=["body", "trailers"],
)
async def test_what_nobody_reads_is_not_kept(api: Api, unread: bytes) -> None:
    """A request with a large body or trailers is answered, and its connection ends."""
    request = b"POST /healthz HTTP/1.1\r\nHost: a\r\n" + unread + b"a: %s\r\n" % (b"x" * 10_000) * 20
    assert statuses(await exchange(api.port, request + b"\r\n" + GOOD)) == [405]


@pytest.mark.parametrize("method", [b"BREW", b"get", b"DESCRIBE", b"PRI", b"TRACE", b"PROPFIND", b"CONNECT"])
@pytest.mark.parametrize("path", [b"/healthz", PATH.encode()])
async def test_methods_that_nobody_knows_are_405(api: Api, method: bytes, path: bytes) -> None:
    """They get the API's 405 in the caller's language, which says what is allowed, and the connection goes on."""
    request = method + b" " + path + b" HTTP/1.1\r\nHost: a\r\nX-Language: zh-cn\r\n\r\n"
    answers = await exchange(api.port, request + END)
    assert statuses(answers) == [405, 200]
    assert set(re.findall(rb"Allow: (.*)\r\n", answers)[0].split(b",")) == {b"GET", b"HEAD"}
    assert "DLI.0007" in answers.decode()
    assert "不支持" in answers.decode()


@pytest.mark.parametrize("method", [b"BREW", b"CONNECT", b"TRACE", b"DELETE", b"GET"])
async def test_a_path_that_is_not_served_is_404_for_every_method(api: Api, method: bytes) -> None:
    """Whether a method is known says nothing about a path that nobody serves; the connection goes on."""
    assert statuses(await exchange(api.port, method + b" /nope HTTP/1.1\r\nHost: a\r\n\r\n" + END)) == [404, 200]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"a b", 400),
        (b"a\tb", 400),
        (b"http://a", 400),
        (b"a:b", 400),
        (b"a/b", 400),
        (b"me@a", 400),
        ("ä".encode(), 400),
        (b"[::1", 400),
        (b"a", 200),
        (b"a.example:8080", 200),
        (b"[::1]:80", 200),
        (b"a%20b", 200),
        (b"", 200),
    ],
)
async def test_host_must_be_a_host(api: Api, host: bytes, status: int) -> None:
    """What cannot be a host, with a port or without, is refused; the connection stays."""
    answers = await exchange(api.port, b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" + END)
    assert statuses(answers) == [status, 200]


@pytest.mark.parametrize("requests", [1, 3])
async def test_client_that_ends_its_side_gets_its_answers(requests: int) -> None:
    """A client that sends no more is answered, and then the connection ends."""
    store = FakeStore()
    store.gate.clear()
    async with served(store) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(ASK * requests)
        writer.write_eof()
        await store.entered.wait()
        await asyncio.sleep(0)
        store.gate.set()
        assert statuses(await reader.read()) == [200] * requests
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET /hea", GOOD[:-2]])
async def test_client_that_ends_before_its_request_is_let_go(api: Api, sent: bytes) -> None:
    """A connection that ends without a whole request ends on our side too, without an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(sent)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_answers_in_the_language_of_what_cannot_be_parsed(api: Api) -> None:
    """Language and id of a head that is refused are taken over, also when it comes in parts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Language: zh-cn\r\nX-Request-Id: id-1\r\n")
    await writer.drain()
    await exchange(api.port, END)  # the first part has been read before the second is sent
    writer.write(b"bad header\r\n\r\n")
    answer = await reader.read()
    assert statuses(answer) == [400]
    assert b"X-Request-Id: id-1\r\n" in answer
    assert "请求不是有效的HTTP报文" in answer.decode()
    writer.close()


async def test_refusal_reaches_a_client_that_is_still_sending(api: Api) -> None:
    """A client that sends megabytes of headers before it reads gets the answer, not a reset."""

    def send_and_read() -> bytes:
        with socket.create_connection(("127.0.0.1", api.port)) as client:
            client.sendall(GOOD[:-2] + b"A: %s\r\n" % (b"b" * 8_000) * 250)
            client.shutdown(socket.SHUT_WR)
            return client.makefile("rb").read()

    answer = await asyncio.to_thread(send_and_read)
    assert statuses(answer) == [400]
    assert b"at most 32 KiB together" in answer


async def test_head_that_does_not_end_loses_the_connection() -> None:
    """A client that sends its head too slowly is cut off, at its first request as later, and silent ones are too."""
    async with served(connection_policy=ConnectionPolicy(head_seconds=0.2)) as api:
        for before, sent in ((b"", b""), (b"", b"G"), (b"", GOOD[:-2]), (GOOD, GOOD[:-2])):
            reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
            writer.write(before + sent)
            assert statuses(await reader.read()) == [200] * bool(before)
            writer.close()


async def test_idle_connection_is_not_late() -> None:
    """Between two requests a connection may be idle for longer than a head may take."""
    async with served(connection_policy=ConnectionPolicy(head_seconds=0.05)) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(GOOD)
        answer = await reader.readuntil(b'"ok"}')
        slow_reader, slow_writer = await asyncio.open_connection("127.0.0.1", api.port)
        await slow_reader.read()  # which is cut off after this time
        writer.write(END)
        assert statuses(answer + await reader.read()) == [200, 200]
        writer.close()
        slow_writer.close()


async def test_server_names_no_versions(api: Api) -> None:
    """The header says what this is, and not of which libraries it is made."""
    for request in (END, b"bad\r\n\r\n"):
        assert re.findall(rb"Server: (.*)\r\n", await exchange(api.port, request)) == [b"gene-job-statistics"]


def secrets() -> Iterator[bytes]:
    """Requests, good and bad, with the same text in each place that a client fills."""
    place = SECRET_PART.encode()
    for line in (
        b"GET /" + place + b" HTTP/1.1",
        b"GET /v2.0/" + place + b"/gene/statistics?start=" + place + b" HTTP/1.1",
        b"GET /?a=" + place + b"#" + place + b" HTTP/1.1",
        b"GET http://" + place + b":x/ HTTP/1.1",
        b"GET http://[" + place + b" HTTP/1.1",
        b"CONNECT " + place + b":99999999 HTTP/1.1",
        b"GET * HTTP/1.1" + place,
        place + b" / HTTP/1.1",
        b"GET /%ff%" + place + b"\xff HTTP/1.1",
        b"GET / HTTP/" + place,
        b"\x16\x03\x01" + place,
    ):
        yield line + b"\r\nHost: a\r\n\r\n"
    for header in (
        b"X-Auth-Token: " + place,
        b"X-Auth-Token: a.b." + place,
        b"X-Auth-Token " + place,
        b"X-Auth-Token: " + place + b"\x01",
        b"X-Auth-Token: " + place + b"\x00",
        b"X-Auth-Token: " + place + b"\xff\xfe",
        b"X-Auth-Token: " + place * 3_000,
        b"X-Auth-Token: a\r\nX-Auth-Token: " + place,
        place + b": " + b"x" * 20_000,
        b"X-Auth-Token: " + place + b"\r\n " + place,
        b"X-Request-Id: " + place + b"!",
        b"X-Language: " + place,
        b"Host: " + place + b" b",
        b"Content-Length: " + place,
        b"Transfer-Encoding: " + place,
        b"Expect: " + place,
        b"Upgrade: " + place,
        b"Cookie: " + place,
        b"Sec-WebSocket-Key1: " + place,
        b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n" + place + b"abc",
        b"Transfer-Encoding: chunked\r\n\r\n" + place,
    ):
        host = b"" if header.startswith(b"Host") else b"Host: a\r\n"
        yield b"GET " + PATH.encode() + b" HTTP/1.1\r\n" + host + header + b"\r\n\r\n"


async def test_log_never_quotes_a_request(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG no line of any logger has a part of what a client has sent, tracebacks included."""
    caplog.set_level(logging.DEBUG)
    for request in secrets():
        assert SECRET_PART.encode() not in await exchange(api.port, request + END)
    api.store.error = RuntimeError("a bug")
    async with api.client.get(f"{PATH}?start=1", headers={**as_caller(), "Cookie": SECRET_PART}) as response:
        assert response.status == 500
    formatter = JsonFormatter()
    lines = [formatter.format(record) for record in caplog.records]
    assert len(lines) > 20
    assert all(SECRET_PART not in line for line in lines)
    assert {json.loads(line)["level"] for line in lines} <= {"DEBUG", "ERROR"}
    assert sum(json.loads(line)["level"] == "ERROR" for line in lines) == 1
