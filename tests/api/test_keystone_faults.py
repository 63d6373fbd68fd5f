"""What may stand in the place of a Keystone: answers of others, odd ones, and none are never a caller's fault."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from service.auth.caller import IdentityUnavailableError, InvalidTokenError
from service.auth.jwks import JwksKeys
from service.auth.keystone import KeystoneAuthenticator, KeystonePolicy
from service.auth.keystone_answers import Credentials
from service.auth.keystone_client import CredentialsRefusedError, KeystoneClient

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def described(**changes: Any) -> dict[str, Any]:
    """What Keystone says of a good token."""
    token = {
        "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        "user": {"id": "user"},
        "project": {"id": "project"},
        "roles": [{"name": "member"}],
    }
    return {"token": {**token, **changes}}


async def give_token(request: web.Request) -> web.Response:
    """Gives us a token."""
    return web.json_response(described(), status=201, headers={"X-Subject-Token": "ours"})


@asynccontextmanager
async def authenticator_of(validate: Handler, give: Handler = give_token) -> AsyncIterator[KeystoneAuthenticator]:
    """An authenticator of a server that answers so."""
    app = web.Application()
    app.router.add_get("/v3/auth/tokens", validate)
    app.router.add_post("/v3/auth/tokens", give)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v3/"
    async with aiohttp.ClientSession() as session:
        client = KeystoneClient(url, Credentials("us", "s3cr3t", "service", "Default"), session)
        authenticator = KeystoneAuthenticator(client, frozenset({"admin"}), KeystonePolicy())
        yield authenticator
        await authenticator.close()
    await runner.cleanup()


def answering(status: int, text: str, **headers: str) -> Handler:
    """Answers everything with that."""

    async def answer(request: web.Request) -> web.Response:
        echoed = {"X-Subject-Token": request.headers.get("X-Subject-Token", "ours"), **headers}
        return web.Response(status=status, text=text, headers=echoed)

    return answer


ODD: dict[str, Handler] = {
    "a proxy's page": answering(404, '<p class="error">not found</p>'),
    "a gateway's JSON": answering(404, '{"status":404,"error":"Not Found"}'),
    "a redirect": answering(302, "", Location="http://example.invalid/"),
    "too many requests": answering(429, ""),
    "broken": answering(500, '{"error":{"code":500}}'),
    "no JSON": answering(200, "<html>"),
    "no token": answering(200, "{}"),
    "deep": answering(200, "[" * 100_000),
    "a role that is none": answering(200, json.dumps(described(roles=[{"name": ["admin"]}]))),
    "half a surrogate pair": answering(200, json.dumps(described(user={"id": "\ud800"}))),
    "a number as time": answering(200, json.dumps(described(expires_at=4_000_000_000))),
    "no time": answering(200, '{"token":{"expires_at":"soon","user":{"id":"u"}}}'),
    "of nobody": answering(200, '{"token":{"expires_at":"2100-01-01T00:00:00Z","user":{}}}'),
    "about another token": answering(
        200, '{"token":{"expires_at":"2100-01-01T00:00:00Z","user":{"id":"u"}}}', **{"X-Subject-Token": "another"}
    ),
    "large": answering(200, " " * 2_000_000),
    "unauthorized for ever": answering(401, '{"error":{"code":401}}'),
}


@pytest.mark.parametrize("validate", ODD.values(), ids=ODD)
async def test_odd_answers_are_no_callers_fault(validate: Handler) -> None:
    """The token is neither good nor refused: nobody could tell."""
    async with authenticator_of(validate) as authenticator:
        for attempt in (authenticator.authenticate("token"), authenticator.ping()):
            with pytest.raises(IdentityUnavailableError):
                await attempt


NO_HTTP = {
    "nothing": b"",
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "no status": b"HTTP/1.1 what\r\n\r\n",
    "a status of many digits": b"HTTP/1.1 200000000000 OK\r\n\r\n",
    "a length below zero": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "a body that ends early": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "a header of bytes": b"HTTP/1.1 201 Created\r\nX-Subject-Token: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    "no gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "another charset": b"HTTP/1.1 201 OK\r\nContent-Type: text/x; charset=\xff\r\nContent-Length: 1\r\n\r\n\xff",
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_no_callers_fault(answer: bytes) -> None:
    """Neither of Keystone, nor of a JWKS: nobody could tell."""

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(tell, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, aiohttp.ClientSession() as session:
        client = KeystoneClient(url, Credentials("us", "s3cr3t", "service", "Default"), session)
        for attempt in (client.validate("token"), JwksKeys(url, session).find("kid", "RS256")):
            with pytest.raises(IdentityUnavailableError):
                await attempt


@pytest.mark.parametrize(
    ("asked", "wait_seconds"), [("30", 30), ("9999", 60), ("", 1), ("0", 0), ("soon", 1), ("-1", 1), ("1" * 50, 1)]
)
async def test_the_wait_that_keystone_asks_for_is_told(asked: str, wait_seconds: float) -> None:
    """Up to a minute; it is that of our own token as well."""
    busy = answering(503, "", **{"Retry-After": asked})
    for validate, give in ((busy, give_token), (give_token, busy)):
        async with authenticator_of(validate, give) as authenticator:
            with pytest.raises(IdentityUnavailableError) as raised:
                await authenticator.authenticate("token")
            assert raised.value.retry_after_seconds == wait_seconds


async def test_the_wait_shrinks_while_keystone_refuses_us() -> None:
    """Its refusal is remembered for ten seconds, of which those are told that are left."""
    async with authenticator_of(answering(500, ""), answering(401, '{"error":{"code":401}}')) as authenticator:
        for _ in range(2):
            with pytest.raises(CredentialsRefusedError) as raised:
                await authenticator.ping()
        assert 0 < raised.value.retry_after_seconds < 10


async def test_keystones_own_404_is_a_refusal() -> None:
    """And a good answer is a caller; its other fields do not matter."""
    async with authenticator_of(answering(404, '{"error":{"code":404,"title":"Not Found"}}')) as authenticator:
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate("token")

    async def tell(request: web.Request) -> web.Response:
        return web.json_response(described(is_domain=False), headers={"X-Subject-Token": "token"})

    async with authenticator_of(tell) as authenticator:
        caller = await authenticator.authenticate("token")
        assert (caller.project_id, caller.user_id, caller.is_administrator) == ("project", "user", False)


@pytest.mark.parametrize(
    ("give", "is_refusal"),
    [
        (answering(401, '{"error":{"code":401}}'), True),
        (answering(400, "plain HTTP to a port of TLS"), False),
        (answering(403, "<html>"), False),
        (answering(201, "{}"), False),
        (answering(200, ""), False),
        (
            answering(
                201, '{"token":{"expires_at":"2100-01-01T00:00:00Z","user":{"id":"u"}}}', **{"X-Subject-Token": "a\x01"}
            ),
            False,
        ),
    ],
    ids=["refused", "TLS", "firewall", "no token", "other", "odd token"],
)
async def test_only_keystone_refuses_us(give: Handler, is_refusal: bool) -> None:
    """What something before it says is an outage: nobody's password is blamed."""
    async with authenticator_of(answering(500, ""), give) as authenticator:
        with pytest.raises(IdentityUnavailableError) as raised:
            await authenticator.ping()
        assert isinstance(raised.value, CredentialsRefusedError) is is_refusal
