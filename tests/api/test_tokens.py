"""Tokens: which are good, and every way in which one isn't."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.auth.caller import Caller, InvalidTokenError
from service.auth.jwt import JwtAuthenticator, SecretKey
from service.auth.jwt_claims import ClaimsPolicy
from tests.api.support import PATH, PROJECT, SECRET, Api, Clock, as_caller, exchange, token

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encoded(part: object) -> str:
    """A part of a token: JSON (or bytes as they are) in base64url."""
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: object, claims: object, secret: str = SECRET) -> str:
    """A token of any header and claims, signed with HMAC-SHA256 whatever they say."""
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


GOOD = {"sub": "u", "project_id": PROJECT, "roles": [], "exp": time.time() + 3600}
HS256 = {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize(
    "extra",
    [{}, {"aud": "x"}, {"iss": "y"}, {"name": None}, {"nbf": 1}, {"iat": time.time() + 60}, {"exp": 4e9}, {"jti": 1}],
)
async def test_good_token_is_accepted(api: Api, extra: dict[str, Any]) -> None:
    """Claims that the API doesn't use may be there, or not."""
    bearer = signed(HS256, {**GOOD, **extra})
    async with api.client.get(PATH, headers={"X-Auth-Token": bearer}) as response:
        assert response.status == 200


FORGERIES = {
    "empty": "",
    "space": " ",
    "text": "token",
    "dots": "..",
    "many dots": "a.b.c.d.e",
    "no signature": f"{encoded(HS256)}.{encoded(GOOD)}.",
    "alg none": f"{encoded({'alg': 'none'})}.{encoded(GOOD)}.",
    "alg None": signed({"alg": "None"}, GOOD),
    "alg none, signed": signed({"alg": "none"}, GOOD),
    "alg missing": signed({"typ": "JWT"}, GOOD),
    "alg list": signed({"alg": ["HS256"]}, GOOD),
    "alg null": signed({"alg": None}, GOOD),
    "HS512": token(algorithm="HS512", key=SECRET * 2),
    "RS256": token(RSA_KEY, "RS256"),
    "another secret": token("another secret that is long enough"),
    "other claims": signed(HS256, GOOD).split(".")[0] + "." + encoded({**GOOD, "roles": ["admin"]}) + ".x",
    "header no object": signed(["HS256"], GOOD),
    "header deep": signed(b"[" * 3000, GOOD),
    "header not JSON": signed(b"{", GOOD),
    "header not UTF-8": signed(b"\xff\xfe", GOOD),
    "crit": signed({**HS256, "crit": ["x"]}, GOOD),
    "b64 false": signed({**HS256, "b64": False, "crit": ["b64"]}, GOOD),
    "kid no string": signed({**HS256, "kid": 1}, GOOD),
    "claims no object": signed(HS256, [GOOD]),
    "claims not JSON": signed(HS256, b"{"),
    "claims not UTF-8": signed(HS256, b'{"sub": "\xff"}'),
    "claims deep": signed(HS256, b"[" * 3000),
    "too long": token(name="x" * 9000),
    "expired": token(exp=int(time.time()) - 1),
    "not yet": token(nbf=int(time.time()) + 3600),
    "exp infinite": signed(HS256, json.dumps(GOOD).replace(str(GOOD["exp"]), "Infinity").encode()),
    "exp not a number": signed(HS256, json.dumps(GOOD).replace(str(GOOD["exp"]), "NaN").encode()),
    "not ASCII": "é.é.é",
}
BAD_CLAIMS: list[tuple[str, list[Any]]] = [
    ("sub", [None, 1, "", "a b", "a/b", "é", "x" * 65, "a\n", ["u"], {}]),
    ("project_id", [None, 1, "", "a:b", "x" * 65, f"{PROJECT}\n", [PROJECT]]),
    ("roles", [None, "admin", {"admin": 1}, [1], [None], [["admin"]]]),
    ("exp", [None, "4000000000", True, [4e9], {}]),
    ("nbf", ["0", False]),
]


@pytest.mark.parametrize("name", FORGERIES)
async def test_forgery_is_401(api: Api, name: str) -> None:
    """What isn't a token signed by us, as we sign, and in its time, is a 401."""
    async with api.client.get(PATH, headers={"X-Auth-Token": FORGERIES[name]}) as response:
        assert (response.status, (await response.json())["error_code"]) == (401, "DLI.0013")
    assert api.store.asked == []


@pytest.mark.parametrize(("claim", "value"), [(claim, value) for claim, values in BAD_CLAIMS for value in values])
async def test_claim_of_another_kind_is_401(api: Api, claim: str, value: object) -> None:
    """Well signed, but a claim isn't what it must be: a 401."""
    async with api.client.get(PATH, headers={"X-Auth-Token": signed(HS256, {**GOOD, claim: value})}) as response:
        assert response.status == 401


@pytest.mark.parametrize("claim", ["sub", "project_id", "roles", "exp"])
async def test_missing_claim_is_401(api: Api, claim: str) -> None:
    """A token without a claim that the API needs is a 401."""
    claims = {name: value for name, value in GOOD.items() if name != claim}
    async with api.client.get(PATH, headers={"X-Auth-Token": signed(HS256, claims)}) as response:
        assert response.status == 401


async def test_no_token_or_two_are_401(api: Api) -> None:
    """Without a token, or with two, nobody is known."""
    async with api.client.get(PATH) as response:
        assert response.status == 401
    twice = [("X-Auth-Token", token()), ("X-Auth-Token", token())]
    async with api.client.get(PATH, headers=twice) as response:
        assert response.status == 401


async def test_bytes_that_are_no_text_are_401(api: Api) -> None:
    """A token of bytes that aren't UTF-8 is a 401 like any other."""
    head = f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Auth-Token: ".encode()
    assert (await exchange(api.port, head + b"\xff.\xff.\xff\r\n\r\n")).startswith(b"HTTP/1.1 401 ")


async def test_identity_headers_mean_nothing(api: Api) -> None:
    """Only the token says who asks: headers that claim a role or project change nothing."""
    spoofed = {"X-Roles": "admin", "X-Project-Id": "p", "X-User-Id": "u", **as_caller(roles=[], sub="me")}
    async with api.client.get(PATH, headers=spoofed) as response:
        assert "users" not in await response.json()
    assert api.store.asked == [(PROJECT, None, None, "me")]


async def test_token_lives_until_the_very_instant() -> None:
    """A token is good from `nbf` on, and no longer at `exp`."""
    clock = Clock(now_seconds=99.0)
    authenticator = JwtAuthenticator(SecretKey(SECRET), ClaimsPolicy(frozenset({"boss"})), clock)
    bearer = signed(HS256, {**GOOD, "nbf": 100, "exp": 200, "roles": ["boss"], "name": "n"})
    with pytest.raises(InvalidTokenError):
        await authenticator.authenticate(bearer)
    for clock.now_seconds in (100.0, 199.9):
        assert await authenticator.authenticate(bearer) == Caller(PROJECT, "u", True, "n", 200)
    clock.now_seconds = 200.0
    with pytest.raises(InvalidTokenError):
        await authenticator.authenticate(bearer)


def test_public_key_is_no_secret() -> None:
    """A public key is refused as a secret: everybody could sign with it."""
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(jwt.InvalidKeyError):
        SecretKey(pem)


async def test_remembered_token_vouches_for_no_other(api: Api) -> None:
    """After a good token, one with the same head and claims but another signature is still a 401."""
    good = token()
    unsigned = good[: good.rindex(".") + 1]
    for bearer, status in ((good, 200), (good, 200), (unsigned, 401), (unsigned + encoded(b"x" * 32), 401)):
        async with api.client.get(PATH, headers={"X-Auth-Token": bearer}) as response:
            assert response.status == status


class RenewedKeys:
    """Gives the one secret as another object each time, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.algorithms = frozenset({"HS256"})

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK:
        """Returns the secret."""
        self.asked += 1
        return await SecretKey(SECRET).find(key_id, algorithm)

    def current(self, key_id: str | None, algorithm: str) -> jwt.PyJWK:
        """Returns the secret, too."""
        return SecretKey(SECRET).current(key_id, algorithm)

    async def ping(self) -> None:
        """There is nothing to reach."""


async def test_few_tokens_are_remembered() -> None:
    """However many tokens come, a bounded number is remembered, and all are good.

    A key is asked for twice for a token that is remembered: whether it is still the same, and as it is not, to verify.
    """
    keys = RenewedKeys()
    authenticator = JwtAuthenticator(keys, ClaimsPolicy(frozenset()), max_remembered=2)
    tokens = {user: token(sub=user) for user in "abc"}
    for user, asked in zip("aabcabcc", (1, 2, 1, 1, 1, 1, 1, 2), strict=True):
        before = keys.asked
        assert (await authenticator.authenticate(tokens[user])).user_id == user
        assert keys.asked - before == asked
