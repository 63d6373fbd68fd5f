"""The metrics of the identity service: each request by its result, and the tokens for which nobody was asked."""

from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from service.auth.caller import IdentityUnavailableError, InvalidTokenError
from service.auth.jwks import JwksKeys
from service.auth.jwt import JwtAuthenticator, SecretKey
from service.auth.jwt_claims import ClaimsPolicy
from service.auth.keystone import KeystoneAuthenticator, KeystonePolicy
from service.auth.keystone_answers import Credentials
from service.auth.keystone_client import KeystoneClient
from service.auth.metrics import IdentityMetrics
from tests.api.support import SECRET, token
from tests.api.test_keystone_faults import answering, described, give_token

NOT_FOUND = '{"error": {"code": 404, "title": "Not Found", "message": "no"}}'


def results(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """The number of requests by request and result."""
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {
        (sample.labels["request"], sample.labels["result"]): sample.value
        for sample in samples
        if sample.name == "stats_identity_requests_total" and sample.value
    }


def timed(registry: CollectorRegistry, request: str) -> float | None:
    """How many requests were timed."""
    return registry.get_sample_value("stats_identity_request_duration_seconds_count", {"request": request})


async def validate(request: web.Request) -> web.Response:
    """Knows the tokens `known` and `ours`, fails for `breaks`, cuts the connection for `cut`."""
    subject = request.headers["X-Subject-Token"]
    if subject == "cut":
        assert request.transport is not None
        request.transport.abort()
    if subject == "breaks":
        return web.Response(status=502)
    if subject not in {"known", "ours"}:
        return web.Response(status=404, text=NOT_FOUND, content_type="application/json")
    return web.json_response(described(), headers={"X-Subject-Token": subject})


async def test_keystone() -> None:
    """A token is asked about once while its answer holds, also a refusal."""
    registry, app = CollectorRegistry(), web.Application()
    app.router.add_get("/v3/auth/tokens", validate)
    app.router.add_post("/v3/auth/tokens", give_token)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        credentials = Credentials("us", "s3cr3t", "service", "Default")
        client = KeystoneClient(str(server.make_url("/v3")), credentials, session, metrics=IdentityMetrics(registry))
        authenticator = KeystoneAuthenticator(client, frozenset({"admin"}), KeystonePolicy())
        for asked in ("known", "known", "unknown", "unknown", "breaks", "cut"):
            with suppress(InvalidTokenError, IdentityUnavailableError):
                await authenticator.authenticate(asked)
        await authenticator.close()
    assert results(registry) == {
        ("login", "good"): 1,
        ("validate", "good"): 1,
        ("validate", "refused"): 1,
        ("validate", "failed"): 1,
        ("validate", "away"): 1,
    }
    assert (timed(registry, "login"), timed(registry, "validate")) == (1, 4)
    assert registry.get_sample_value("stats_identity_cached_total") == 2


async def test_a_login_that_is_refused() -> None:
    """It is told from a Keystone that is away."""
    registry, app = CollectorRegistry(), web.Application()
    app.router.add_post("/v3/auth/tokens", answering(401, NOT_FOUND.replace("404", "401")))
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        credentials = Credentials("us", "s3cr3t", "service", "Default")
        client = KeystoneClient(str(server.make_url("/v3")), credentials, session, metrics=IdentityMetrics(registry))
        with pytest.raises(IdentityUnavailableError):
            await client.validate("any")
    assert results(registry) == {("login", "refused"): 1}


@pytest.mark.parametrize(
    ("status", "body", "result"), [(200, '{"keys": []}', "failed"), (500, "", "failed"), (None, "", "away")]
)
async def test_jwks(status: int | None, body: str, result: str) -> None:
    """A fetch that ends without keys says whether there was an answer."""

    async def answer(request: web.Request) -> web.Response:
        if status is None:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=status or 200, text=body)

    registry, app = CollectorRegistry(), web.Application()
    app.router.add_get("/jwks", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        keys = JwksKeys(str(server.make_url("/jwks")), session, metrics=IdentityMetrics(registry))
        with pytest.raises(IdentityUnavailableError):
            await keys.ping()
        await keys.close()
    assert results(registry) == {("keys", result): 1}
    assert timed(registry, "keys") == 1


async def test_a_token_that_was_verified_is_not_verified_again() -> None:
    """The second time it is remembered; a refused one never is."""
    registry = CollectorRegistry()
    policy = ClaimsPolicy(frozenset())
    authenticator = JwtAuthenticator(SecretKey(SECRET), policy, metrics=IdentityMetrics(registry))
    bearer = token()
    for _ in range(3):
        await authenticator.authenticate(bearer)
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate("none")
    assert registry.get_sample_value("stats_identity_cached_total") == 2
