"""Keys from a JWKS URL: which tokens they verify, when they are fetched, and what an outage does."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWK

from service.auth import jwks
from service.auth.caller import IdentityUnavailableError, InvalidTokenError
from service.auth.fetch_budget import FetchBudget, FetchPolicy
from service.auth.jwks import JwksKeys, JwksPolicy
from service.auth.jwt import JwtAuthenticator
from service.auth.jwt_claims import ClaimsPolicy
from tests.api.support import ADMIN_ROLES, PATH, PROJECT, SECRET, Clock, served, token
from tests.api.test_tokens import GOOD, encoded, signed
from tests.unit.test_jwks_document import EC_KEY, RSA_KEY, jwk

OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SPACING_SECONDS, REFILL_SECONDS = 0.05, 100.0
POLICY = JwksPolicy(
    refresh_seconds=300,
    max_age_seconds=3600,
    patience_seconds=60,  # what a test says nothing of has the time that it takes
    timeout_seconds=60,
    fetches=FetchPolicy(SPACING_SECONDS, burst=3, refill_seconds=REFILL_SECONDS),
)


def rsa_jwk(key_id: str, key: rsa.RSAPrivateKey = RSA_KEY, **members: Any) -> dict[str, Any]:
    """The public half of an RSA key as a JWK."""
    return jwk(key, kid=key_id, **members)


def ec_jwk(key_id: str) -> dict[str, Any]:
    """The public half of the EC key as a JWK."""
    return jwk(EC_KEY, kid=key_id)


@dataclass
class Issuer:
    """A real server of a key set that a test changes, and an authenticator over it with a clock moved by hand."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fetches: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Clock = field(default_factory=Clock)
    port: int = 0
    keys: JwksKeys = field(init=False)
    authenticator: JwtAuthenticator = field(init=False)

    def publish(self, *keys: dict[str, Any]) -> None:
        """Serve these keys."""
        self.status, self.headers, self.body = 200, {}, json.dumps({"keys": keys}).encode()

    async def answer(self, request: web.Request) -> web.Response:
        """The key set, once the gate is open."""
        self.fetches += 1
        self.asked.set()
        await self.gate.wait()
        return web.Response(body=self.body, status=self.status, headers=self.headers)

    async def wait_for_fetch(self, number: int) -> None:
        """Returns when the issuer has been asked so often."""
        while self.fetches < number:
            self.asked.clear()
            await self.asked.wait()

    async def renewed(self) -> None:
        """Returns when the fetch that is under way, or that a probe begins, has ended."""
        if not self.keys._fetch.is_running:
            await self.authenticator.ping()
        if self.keys._fetch.is_running:
            await self.keys._fetch.join()

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
        issuer.port = server.port or 0
        issuer.keys = keys = JwksKeys(str(server.make_url("/jwks")), session, policy, issuer.clock)
        issuer.authenticator = JwtAuthenticator(keys, ClaimsPolicy(ADMIN_ROLES))
        yield issuer
        issuer.gate.set()
        await keys.close()


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


def confused(issuer_key: dict[str, Any]) -> dict[str, str]:
    """Tokens that mean to be verified by something else than the issuer's keys as the issuer uses them."""
    public = json.dumps(issuer_key)
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"alg": "HS256", "kid": "r"}
    return {
        "RSA key, by another": by_rsa(key=OTHER_KEY),
        "RSA key, id of the EC key": by_rsa("e"),
        "EC key, id of the RSA key": token(EC_KEY, "ES256", {"kid": "r"}),
        "header of the other algorithm": token(RSA_KEY, "RS256", {"kid": "e", "alg": "RS256"}),
        "RS512": token(RSA_KEY, "RS512", {"kid": "r"}),
        "PS256": token(RSA_KEY, "PS256", {"kid": "r"}),
        "HS256 with the JWK": signed(claims, GOOD, public),
        "HS256 with the PEM": signed(claims, GOOD, pem.decode()),
        "HS256 with the modulus": signed(claims, GOOD, issuer_key["n"]),
        "none": signed({"alg": "none", "kid": "r"}, GOOD),
        "none, not signed": f"{encoded({'alg': 'none', 'kid': 'r'})}.{encoded(GOOD)}.",
        "own key within": by_rsa(key=OTHER_KEY, jwk=rsa_jwk("r", OTHER_KEY)),
        "own address within": by_rsa(key=OTHER_KEY, jku="http://127.0.0.1/jwks"),
        "own certificate within": by_rsa(key=OTHER_KEY, x5c=["MII"], x5u="http://127.0.0.1/"),
        "ES256 of an RSA signature": ".".join(
            [encoded({"alg": "ES256", "kid": "e"}), *by_rsa().split(".")[1:]],
        ),
        "ES256 of zeros": f"{encoded({'alg': 'ES256', 'kid': 'e'})}.{encoded(GOOD)}.{encoded(bytes(64))}",
        "ES256 of nothing": f"{encoded({'alg': 'ES256', 'kid': 'e'})}.{encoded(GOOD)}.",
    }


async def test_key_and_algorithm_belong_together(issuer: Issuer) -> None:
    """None of the ways to be verified by another key, or in another way, passes; none makes a fetch."""
    assert await issuer.accepts(by_rsa())
    tokens = confused(rsa_jwk("r"))
    assert [name for name, bearer in tokens.items() if await issuer.accepts(bearer)] == []
    assert issuer.fetches == 1


async def test_odd_members_stand_in_nobodys_way(issuer: Issuer) -> None:
    """Of each kind of oddity: the good keys serve, and the API is ready. More: tests/unit/test_jwks_document.py."""
    deep = json.loads("[" * 300 + "]" * 300)
    issuer.publish(rsa_jwk("a", alg=["RS256"]), rsa_jwk("u", use={}), rsa_jwk("d", x5c=deep), rsa_jwk("r"), ec_jwk("e"))
    assert await issuer.accepts(by_rsa())
    assert await issuer.accepts(token(EC_KEY, "ES256", {"kid": "e"}))
    await issuer.authenticator.ping()


async def test_unusable_keys_are_left_out(issuer: Issuer) -> None:
    """A shared secret in the set, and a key for encryption, verify nothing."""
    secret = {"kty": "oct", "kid": "s", "k": "YSBzZWNyZXQgb2YgdGVzdHMgdGhhdCBpcyBsb25nIGVub3VnaA"}
    issuer.publish(rsa_jwk("r"), secret, rsa_jwk("enc", use="enc"))
    assert await issuer.accepts(by_rsa("r"))
    assert not await issuer.accepts(token(SECRET, "HS256", {"kid": "s"}))
    assert not await issuer.accepts(by_rsa("enc"))


async def test_one_id_may_be_of_a_key_of_each_kind(issuer: Issuer) -> None:
    """As RFC 7517 has it; of two keys of one kind the first counts."""
    issuer.publish(ec_jwk("same"), rsa_jwk("same"), rsa_jwk("same", OTHER_KEY))
    assert await issuer.accepts(by_rsa("same"))
    assert await issuer.accepts(token(EC_KEY, "ES256", {"kid": "same"}))
    assert not await issuer.accepts(by_rsa("same", OTHER_KEY))


async def test_only_key_serves_tokens_without_an_id(issuer: Issuer) -> None:
    """A token without `kid` is verified by the only key; with several it is refused, and no fetch would help."""
    assert not await issuer.accepts(by_rsa(None))
    assert not await issuer.accepts(by_rsa(None))
    assert issuer.fetches == 1
    issuer.publish(rsa_jwk("r"))
    issuer.clock.now_seconds += POLICY.max_age_seconds
    assert await issuer.accepts(by_rsa(None))


async def test_key_published_a_moment_ago_is_found(issuer: Issuer) -> None:
    """An unknown key id makes a fetch, though the last was a moment ago; requests that bring it share that fetch."""
    assert await issuer.accepts(by_rsa())
    assert not await issuer.accepts(by_rsa("new"))
    issuer.publish(rsa_jwk("new"))
    assert await asyncio.gather(*[issuer.accepts(by_rsa("new")) for _ in range(50)]) == [True] * 50
    assert issuer.fetches == 3


async def test_a_fetch_that_began_before_is_not_the_last_word(issuer: Issuer) -> None:
    """A key that is published while a fetch is under way is found by the next."""
    issuer.gate.clear()
    waiting = asyncio.create_task(issuer.accepts(by_rsa()))
    await issuer.wait_for_fetch(1)
    asking = asyncio.create_task(issuer.accepts(by_rsa("new")))
    await asyncio.sleep(0)
    issuer.gate.set()
    assert await waiting
    issuer.publish(rsa_jwk("new"))
    assert await asking
    assert issuer.fetches == 2


async def test_made_up_keys_cause_few_fetches_and_hold_nobody(issuer: Issuer) -> None:
    """They are refused while the budget lasts, a fetch for all of a moment; then nobody can tell, and nobody waits."""
    assert await issuer.accepts(by_rsa())
    for _ in range(2):
        made_up = [by_rsa(f"made-up-{number}", OTHER_KEY) for number in range(20)]
        assert await asyncio.gather(*map(issuer.accepts, made_up)) == [False] * 20
    assert issuer.fetches == 3
    for number in range(20):
        with pytest.raises(IdentityUnavailableError) as raised:
            await issuer.authenticator.authenticate(by_rsa(f"more-{number}", OTHER_KEY))
    assert issuer.fetches == 3
    assert REFILL_SECONDS - 1 < raised.value.retry_after_seconds <= REFILL_SECONDS
    assert await issuer.accepts(by_rsa())
    issuer.publish(rsa_jwk("new"))
    issuer.clock.now_seconds += REFILL_SECONDS
    assert await issuer.accepts(by_rsa("new"))


async def test_few_wait_at_once() -> None:
    """Who comes when enough requests wait is told so at once."""
    async with issuing(replace(POLICY, most_waiting=2)) as issuer:
        issuer.gate.clear()
        waiting = [asyncio.create_task(issuer.accepts(by_rsa())) for _ in range(2)]
        await issuer.wait_for_fetch(1)
        with pytest.raises(IdentityUnavailableError):
            await issuer.authenticator.authenticate(by_rsa())
        issuer.gate.set()
        assert await asyncio.gather(*waiting) == [True] * 2


async def test_known_keys_serve_while_they_are_renewed(issuer: Issuer) -> None:
    """An issuer that hangs keeps nobody waiting whose key is known, and the API is ready."""
    assert await issuer.accepts(by_rsa())
    issuer.gate.clear()
    issuer.clock.now_seconds += POLICY.refresh_seconds
    assert await issuer.accepts(by_rsa())
    await issuer.wait_for_fetch(2)
    assert await issuer.accepts(by_rsa())
    await issuer.authenticator.ping()
    assert issuer.fetches == 2


async def test_withdrawn_key_is_gone_after_a_refresh(issuer: Issuer) -> None:
    """A key that the issuer no longer publishes verifies nothing once the keys have been renewed."""
    assert await issuer.accepts(by_rsa())
    issuer.publish(ec_jwk("e"))
    issuer.clock.now_seconds += POLICY.refresh_seconds
    await issuer.renewed()
    assert not await issuer.accepts(by_rsa())


async def test_replaced_key_verifies_nothing_old(issuer: Issuer) -> None:
    """When another key takes over an id, a token of the old one is refused, though it was good before."""
    bearer = by_rsa()
    assert await issuer.accepts(bearer)
    issuer.publish(rsa_jwk("r", OTHER_KEY))
    issuer.clock.now_seconds += POLICY.refresh_seconds
    await issuer.renewed()
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


BROKEN: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "error": (500, b"", {}),
    "redirect": (302, b"", {"Location": "/jwks"}),
    "HTML": (200, b"<html>", {"Content-Type": "text/html"}),
    "no object": (200, b"[]", {}),
    "no keys": (200, b'{"keys": []}', {}),
    "keys of another type": (200, b'{"keys": {"kid": 1}}', {}),
    "other keys": (200, json.dumps({"keys": [{"kty": "oct", "k": "eA"}]}).encode(), {}),
    "odd keys": (200, json.dumps({"keys": [rsa_jwk("r", alg=["RS256"])]}).encode(), {}),
    "deep": (200, b"[" * 200_000, {}),
    "no text": (200, b"\xff", {}),
    "too large": (200, json.dumps({"keys": [rsa_jwk("r")]}).encode() + b" " * 300_000, {}),
    "a gzip bomb": (200, gzip.compress(b" " * 200_000_000, 1), {"Content-Encoding": "gzip"}),
    "no gzip": (200, b"{}", {"Content-Encoding": "gzip"}),
    "of no known coding": (200, b"{}", {"Content-Encoding": "br"}),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_issuer_is_unavailable(issuer: Issuer, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """An answer that is no key set makes tokens uncheckable (no 401), is logged once, and not asked for again soon."""
    caplog.set_level(logging.INFO, "service.auth.jwks")
    issuer.status, issuer.body, issuer.headers = BROKEN[name]
    issuer.keys._budget = FetchBudget(FetchPolicy(spacing_seconds=10))
    for _ in range(3):
        with pytest.raises(IdentityUnavailableError) as raised:
            await issuer.authenticator.authenticate(by_rsa())
        assert raised.value.retry_after_seconds == 10
    with pytest.raises(IdentityUnavailableError):
        await issuer.authenticator.ping()
    assert issuer.fetches == 1
    issuer.clock.now_seconds += 10
    with pytest.raises(IdentityUnavailableError):
        await issuer.authenticator.ping()
    assert issuer.fetches == 2
    issuer.publish(rsa_jwk("r"))
    issuer.clock.now_seconds += 10
    await issuer.authenticator.ping()
    assert await issuer.accepts(by_rsa())
    levels = [record.levelno for record in caplog.records if record.name == "service.auth.jwks"]
    assert levels == [logging.ERROR, logging.INFO]


async def test_compressed_keys_are_taken(issuer: Issuer) -> None:
    """Many hosts compress whatever they send."""
    issuer.body, issuer.headers = gzip.compress(issuer.body), {"Content-Encoding": "gzip"}
    assert await issuer.accepts(by_rsa())


def faulty(document: bytes) -> list[PyJWK]:
    """Reads no keys, and raises what nobody has foreseen."""
    raise LookupError("a fault")


async def test_a_fault_of_our_own_is_no_callers_fault(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a fetch dies of, it is noted: 503 and not ready, and known keys go on to serve."""
    with monkeypatch.context() as broken:
        broken.setattr(jwks, "read_keys", faulty)
        for ask in (issuer.authenticator.ping, partial(issuer.authenticator.authenticate, by_rsa())):
            with pytest.raises(IdentityUnavailableError):
                await ask()
    issuer.clock.now_seconds += SPACING_SECONDS
    assert await issuer.accepts(by_rsa())
    monkeypatch.setattr(jwks, "read_keys", faulty)
    issuer.clock.now_seconds += POLICY.refresh_seconds
    await issuer.renewed()
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
    for ask in (issuer.authenticator.ping, partial(issuer.authenticator.authenticate, by_rsa())):
        with pytest.raises(IdentityUnavailableError):
            await ask()


async def test_unreachable_issuer_tells_no_url(unused_tcp_port: int) -> None:
    """Nobody listening is an outage, whose text doesn't hold the URL with what may be secret in it."""
    async with aiohttp.ClientSession() as session:
        keys = JwksKeys(f"http://user:password@127.0.0.1:{unused_tcp_port}/jwks", session)
        with pytest.raises(IdentityUnavailableError) as raised:
            await JwtAuthenticator(keys, ClaimsPolicy(frozenset())).authenticate(by_rsa())
    assert "password" not in str(raised.value)


async def test_slow_issuer_is_not_waited_for() -> None:
    """Patience ends before the fetch does; its keys are there for the next request."""
    async with issuing(replace(POLICY, patience_seconds=0.05)) as issuer:
        issuer.gate.clear()
        for ask in (issuer.authenticator.ping, partial(issuer.authenticator.authenticate, by_rsa())):
            with pytest.raises(IdentityUnavailableError) as raised:
                await ask()
            assert raised.value.retry_after_seconds == POLICY.timeout_seconds  # the clock of the test stands still
        issuer.gate.set()
        await issuer.renewed()
        assert await issuer.accepts(by_rsa())
        assert issuer.fetches == 1


async def test_a_fetch_is_given_up() -> None:
    """It is bounded by time: an issuer that never answers is an outage."""
    async with issuing(replace(POLICY, timeout_seconds=0.05)) as issuer:
        issuer.gate.clear()
        with pytest.raises(IdentityUnavailableError) as raised:
            await issuer.authenticator.authenticate(by_rsa())
        assert "TimeoutError" in str(raised.value)


async def test_callers_are_told_the_wait_that_helps() -> None:
    """The answer is 503 with the seconds until the next fetch, in whole ones, and at least one."""
    async with issuing(POLICY) as issuer, served(authenticator=issuer.authenticator) as api:
        for spacing_seconds, wait in ((6.5, "7"), (0.0, "1")):
            issuer.status = 500
            issuer.keys._budget = FetchBudget(FetchPolicy(spacing_seconds))
            async with api.client.get(PATH, headers={"X-Auth-Token": by_rsa()}) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, wait)
                assert (await response.json())["error_code"] == "DLI.0012"


async def test_claims_count_here_too(issuer: Issuer) -> None:
    """A good signature of the issuer's doesn't make up for claims."""
    assert not await issuer.accepts(token(RSA_KEY, "RS256", {"kid": "r"}, project_id=f"{PROJECT}/x"))
    assert not await issuer.accepts(token(RSA_KEY, "RS256", {"kid": "r"}, exp=1))
