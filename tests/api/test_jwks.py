"""Keys from a JWKS URL: which tokens they verify, when they are fetched, and what an outage does."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from service.auth.caller import IdentityUnavailableError, InvalidTokenError
from service.auth.jwks import JwksKeys, JwksPolicy
from service.auth.jwt import JwtAuthenticator
from tests.api.support import PROJECT, SECRET, Clock, token
from tests.api.test_tokens import GOOD, signed

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
POLICY = JwksPolicy(refresh_seconds=300, max_age_seconds=3600, cool_down_seconds=10, timeout_seconds=5)


def rsa_jwk(key_id: str, key: rsa.RSAPrivateKey = RSA_KEY, **members: str) -> dict[str, Any]:
    """The public half of an RSA key as a JWK."""
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, **members}


def ec_jwk(key_id: str) -> dict[str, Any]:
    """The public half of the EC key as a JWK."""
    return {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": key_id}


@dataclass
class Issuer:
    """A real server of a key set that a test changes, and an authenticator over it with a clock moved by hand."""

    body: bytes = b""
    status: int = 200
    fetches: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Clock = field(default_factory=Clock)
    authenticator: JwtAuthenticator = field(init=False)

    def publish(self, *keys: dict[str, Any]) -> None:
        """Serve these keys."""
        self.status, self.body = 200, json.dumps({"keys": keys}).encode()

    async def answer(self, request: web.Request) -> web.Response:
        """The key set, once the gate is open."""
        self.fetches += 1
        self.asked.set()
        await self.gate.wait()
        return web.Response(body=self.body, status=self.status)

    async def accepts(self, bearer: str) -> bool:
        """Whether the token is good."""
        try:
            await self.authenticator.authenticate(bearer)
        except InvalidTokenError:
            return False
        return True


@asynccontextmanager
async def issuing(policy: JwksPolicy) -> AsyncIterator[Issuer]:
    """Yields an issuer of an RSA key `r` and an EC key `e`."""
    issuer = Issuer()
    issuer.publish(rsa_jwk("r"), ec_jwk("e"))
    issuer.gate.set()
    app = web.Application()
    app.router.add_get("/jwks", issuer.answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        keys = JwksKeys(str(server.make_url("/jwks")), session, policy, issuer.clock)
        issuer.authenticator = JwtAuthenticator(keys, frozenset({"admin"}))
        yield issuer


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer of an RSA key `r` and an EC key `e`."""
    async with issuing(POLICY) as issuer:
        yield issuer


def by_rsa(key_id: str | None = "r", key: rsa.RSAPrivateKey = RSA_KEY, **header: Any) -> str:
    """A token signed with RS256."""
    return token(key, "RS256", {"kid": key_id, **header} if key_id else header)


async def test_both_algorithms_verify_with_one_fetch(issuer: Issuer) -> None:
    """RS256 and ES256 tokens are good, and the keys are fetched once for all of them."""
    assert await issuer.accepts(by_rsa())
    assert await issuer.accepts(token(EC_KEY, "ES256", {"kid": "e"}))
    assert await issuer.accepts(by_rsa())
    assert issuer.fetches == 1


async def test_key_and_algorithm_belong_together(issuer: Issuer) -> None:
    """Neither another key, nor another algorithm, nor a public key used as an HMAC secret passes."""
    public = json.dumps(rsa_jwk("r"))
    assert not await issuer.accepts(by_rsa("e"))
    assert not await issuer.accepts(token(RSA_KEY, "RS512", {"kid": "r"}))
    assert not await issuer.accepts(token(RSA_KEY, "PS256", {"kid": "r"}))
    assert not await issuer.accepts(by_rsa(key=rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    assert not await issuer.accepts(signed({"alg": "HS256", "kid": "r"}, GOOD, public))
    assert not await issuer.accepts(signed({"alg": "none", "kid": "r"}, GOOD))


async def test_unusable_keys_are_left_out(issuer: Issuer) -> None:
    """A shared secret in the set, a key for encryption, and one of an unknown kind verify nothing."""
    secret = {"kty": "oct", "kid": "s", "k": "YSBzZWNyZXQgb2YgdGVzdHMgdGhhdCBpcyBsb25nIGVub3VnaA"}
    issuer.publish(rsa_jwk("r"), secret, rsa_jwk("enc", use="enc"), {"kty": "new", "kid": "n"})
    assert await issuer.accepts(by_rsa("r"))
    assert not await issuer.accepts(token(SECRET, "HS256", {"kid": "s"}))
    assert not await issuer.accepts(by_rsa("enc"))


async def test_only_key_serves_tokens_without_an_id(issuer: Issuer) -> None:
    """A token without `kid` is verified by the only key; with several it is refused."""
    assert not await issuer.accepts(by_rsa(None))
    issuer.publish(rsa_jwk("r"))
    issuer.clock.now_seconds += POLICY.refresh_seconds
    assert await issuer.accepts(by_rsa())
    assert await issuer.accepts(by_rsa(None))


async def test_new_key_is_found_after_the_cool_down(issuer: Issuer) -> None:
    """An unknown key id makes one fetch per cool-down; a key published meanwhile is then found."""
    assert await issuer.accepts(by_rsa())
    issuer.publish(rsa_jwk("new"))
    assert [await issuer.accepts(by_rsa("new")) for _ in range(3)] == [False] * 3
    assert issuer.fetches == 1
    issuer.clock.now_seconds += POLICY.cool_down_seconds
    assert await issuer.accepts(by_rsa("new"))
    assert not await issuer.accepts(by_rsa("r"))
    assert issuer.fetches == 2


async def test_withdrawn_key_is_gone_after_a_refresh(issuer: Issuer) -> None:
    """A key that the issuer no longer publishes verifies nothing once the keys have been renewed."""
    assert await issuer.accepts(by_rsa())
    issuer.publish(ec_jwk("e"))
    issuer.clock.now_seconds += POLICY.refresh_seconds
    assert not await issuer.accepts(by_rsa())


async def test_replaced_key_verifies_nothing_old(issuer: Issuer) -> None:
    """When another key takes over an id, a token of the old one is refused, though it was good before."""
    bearer = by_rsa()
    assert await issuer.accepts(bearer)
    issuer.publish(rsa_jwk("r", rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    issuer.clock.now_seconds += POLICY.refresh_seconds
    assert not await issuer.accepts(bearer)


async def test_many_callers_share_one_fetch(issuer: Issuer) -> None:
    """While a fetch is under way all wait for it, and one who goes away doesn't end it."""
    issuer.gate.clear()
    tasks = [asyncio.create_task(issuer.accepts(by_rsa())) for _ in range(50)]
    await issuer.asked.wait()
    tasks.pop(0).cancel()
    issuer.gate.set()
    assert await asyncio.gather(*tasks) == [True] * 49
    assert issuer.fetches == 1


BROKEN = {
    "error": (500, b""),
    "redirect": (302, b""),
    "no JSON": (200, b"<html>"),
    "no object": (200, b"[]"),
    "no keys": (200, b'{"keys": []}'),
    "other keys": (200, json.dumps({"keys": [{"kty": "oct", "k": "eA"}]}).encode()),
    "no text": (200, b"\xff"),
    "too large": (200, json.dumps({"keys": [rsa_jwk("r")]}).encode() + b" " * 300_000),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_issuer_is_unavailable(issuer: Issuer, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """An answer that is no key set makes tokens uncheckable (no 401), is logged, and is not asked for again soon."""
    issuer.status, issuer.body = BROKEN[name]
    for _ in range(3):
        with pytest.raises(IdentityUnavailableError):
            await issuer.authenticator.authenticate(by_rsa())
    with pytest.raises(IdentityUnavailableError):
        await issuer.authenticator.ping()
    assert issuer.fetches == 1
    assert [record.levelno for record in caplog.records if record.name == "service.auth.jwks"] == [logging.WARNING]
    issuer.publish(rsa_jwk("r"))
    issuer.clock.now_seconds += POLICY.cool_down_seconds
    await issuer.authenticator.ping()
    assert await issuer.accepts(by_rsa())


async def test_known_keys_outlive_an_outage_for_a_while(issuer: Issuer) -> None:
    """While the issuer is away known keys serve, up to their greatest age; an unknown one can't be told."""
    assert await issuer.accepts(by_rsa())
    issuer.status = 500
    issuer.clock.now_seconds += POLICY.refresh_seconds
    assert await issuer.accepts(by_rsa())
    await issuer.authenticator.ping()
    with pytest.raises(IdentityUnavailableError):
        await issuer.authenticator.authenticate(by_rsa("new"))
    issuer.clock.now_seconds += POLICY.max_age_seconds
    with pytest.raises(IdentityUnavailableError):
        await issuer.authenticator.authenticate(by_rsa())


async def test_unreachable_issuer_tells_no_url(unused_tcp_port: int) -> None:
    """Nobody listening is an outage, whose text doesn't hold the URL with what may be secret in it."""
    async with aiohttp.ClientSession() as session:
        keys = JwksKeys(f"http://user:password@127.0.0.1:{unused_tcp_port}/jwks", session)
        with pytest.raises(IdentityUnavailableError) as raised:
            await JwtAuthenticator(keys, frozenset()).authenticate(by_rsa())
    assert "password" not in str(raised.value)


async def test_slow_issuer_is_given_up() -> None:
    """A fetch is bounded by time: an issuer that never answers is an outage."""
    async with issuing(JwksPolicy(timeout_seconds=0.05)) as issuer:
        issuer.gate.clear()
        with pytest.raises(IdentityUnavailableError):
            await issuer.authenticator.authenticate(by_rsa())
        issuer.gate.set()


async def test_claims_count_here_too(issuer: Issuer) -> None:
    """A good signature of the issuer's doesn't make up for claims."""
    assert not await issuer.accepts(token(RSA_KEY, "RS256", {"kid": "r"}, project_id=f"{PROJECT}/x"))
    assert not await issuer.accepts(token(RSA_KEY, "RS256", {"kid": "r"}, exp=1))
