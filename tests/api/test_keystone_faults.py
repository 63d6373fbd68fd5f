"""What may stand in the place of a Keystone: answers of others, odd ones, and none are never a caller's fault."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from service.auth.caller import IdentityUnavailableError, InvalidTokenError
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
