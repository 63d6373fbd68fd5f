"""Ids of requests and traces: in the answer, and in every line of the log."""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from service.auth.caller import Caller
from service.store.errors import StoreUnavailableError
from tests.api.support import PATH, PROJECT, Api, FakeStore, as_caller, ask, exchange, served, token

Lines = Callable[[], list[dict[str, Any]]]
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


async def test_good_request_id_comes_back(api: Api) -> None:
    """A request keeps the id it came with."""
    async with api.client.get("/healthz", headers={"X-Request-Id": "A-z_0" * 12}) as response:
        assert response.headers["X-Request-Id"] == "A-z_0" * 12


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "é", "a;b", "a,b"])
async def test_bad_request_id_is_replaced(api: Api, given: str) -> None:
    """An id that isn't one is replaced by a new one, also on errors."""
    async with api.client.get("/nothing", headers={"X-Request-Id": given}) as response:
        assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])


class TalkingStore(FakeStore):
    """A store that logs what it does, and then fails."""

    async def ping(self) -> None:
        """Logs a line."""
        logging.getLogger("redis").info("from the store")
        raise StoreUnavailableError("refused")


class TalkingAuthenticator:
    """An Authenticator that lets everybody in, and logs it from a task of its own."""

    async def authenticate(self, _token: str) -> Caller:
        """Logs a line."""
        await asyncio.create_task(self.ping())
        return Caller(PROJECT, "user-1", is_administrator=True)

    def known(self, _token: str) -> None:
        """Is asked each time."""

    def note_known(self) -> None:
        """Is never called."""

    def knows(self, _token: str) -> bool:
        """Knows none."""
        return False

    async def ping(self) -> None:
        """Logs a line."""
        logging.getLogger("keystone").info("from the authenticator")


async def test_every_line_names_its_request(log_lines: Lines) -> None:
    """Lines of the API, the store, the authenticator and tasks of theirs have the ids of the request; others do not."""
    async with served(TalkingStore(), TalkingAuthenticator()) as api:
        headers = ["X-Request-Id: id-{}", f"traceparent: 00-{TRACE}-{PARENT}-01"]
        for number in (1, 2):
            answered = await ask(api.port, *(line.format(number) for line in headers), "X-Auth-Token: a")
            assert (answered.status, answered.headers["X-Request-Id"]) == (503, f"id-{number}")
        assert "traceparent" not in answered.headers
    ours = [line for line in log_lines() if not line["logger"].startswith("asyncio")]
    said = ["from the authenticator", "from the store", "request failed: refused", "answered"]
    assert [(line["message"], line["request_id"]) for line in ours] == [
        (message, f"id-{number}") for number in (1, 2) for message in said
    ]
    assert {(line["trace_id"], line["parent_id"]) for line in ours} == {(TRACE, PARENT)}


async def test_ids_are_of_one_request_of_a_connection(api: Api, log_lines: Lines) -> None:
    """The next request of a connection has none of the ids of the one before it."""
    first = f"GET /a HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-1\r\ntraceparent: 00-{TRACE}-{PARENT}-01\r\n\r\n"
    second = "GET /b HTTP/1.1\r\nHost: a\r\ntraceparent: 00-0-0-01\r\nConnection: close\r\n\r\n"
    await exchange(api.port, (first + second).encode())
    one, other = [line for line in log_lines() if line["message"] == "answered"]
    assert one["request_id"] == "id-1"
    assert re.fullmatch("[0-9a-f]{32}", other["request_id"])
    assert one["trace_id"] == TRACE
    assert not {"trace_id", "parent_id"} & other.keys()


async def test_what_is_no_request_has_an_id_too(api: Api, log_lines: Lines) -> None:
    """Its line has the id of its answer, and nothing of what came."""
    answer = await exchange(api.port, b"GET / HTTP/1.1\r\nHost: a\r\nX-Auth-Token s3cr3t\r\n\r\n")
    (line,) = [line for line in log_lines() if line["message"] == "malformed request"]
    assert f"X-Request-Id: {line['request_id']}".encode() in answer
    assert "s3cr3t" not in repr(log_lines())


async def test_log_holds_no_long_texts_of_callers(api: Api, log_lines: Lines) -> None:
    """At DEBUG a line has neither tokens, nor queries, nor the whole of a path that may be anything."""
    secret = token()
    async with api.client.get(f"{PATH}?s3cr3t=s3cr3t", headers=as_caller()) as response:
        assert response.status == 400
    await ask(
        api.port, f"X-Auth-Token: {secret}", "X-Request-Id: s3 cr3t", "traceparent: s3cr3t", path="/" + "a" * 8000
    )
    lines = log_lines()
    assert len(lines) >= 4
    for line in lines:
        assert "s3cr3t" not in repr(line)
        assert secret not in repr(line)
        assert len(repr(line)) < 1000
