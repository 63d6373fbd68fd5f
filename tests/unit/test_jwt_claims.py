"""Which headers and claims of JWTs are good: types, audience, issuer; whatever they are, there is a caller or a 401."""

import base64
import hashlib
import hmac
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from service.auth.caller import Caller, InvalidTokenError
from service.auth.jwt import JwtAuthenticator, SecretKey
from service.auth.jwt_claims import ClaimsPolicy, Header, read_claims, read_header
from tests.odd_json import objects, texts

SECRET = "a secret of tests that is long enough"
HEADER: dict[str, Any] = {"alg": "RS256", "kid": "r", "typ": "JWT"}
CLAIMS: dict[str, Any] = {"sub": "u", "project_id": "p", "roles": ["boss"], "exp": 4e9}
ANYBODYS = ClaimsPolicy(frozenset({"boss"}))


def read(policy: ClaimsPolicy, **claims: Any) -> Caller:
    """The caller of a token with good claims but for these."""
    return read_claims(json.dumps({**CLAIMS, **claims}).encode(), policy).caller


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt"])
def test_access_tokens_are_taken(typ: str) -> None:
    """By either name, and without one: RFC 7519 leaves it out, RFC 9068 names it."""
    assert read_header({**HEADER, "typ": typ}, frozenset({"RS256"})) == Header("RS256", "r")
    assert read_header({"alg": "RS256"}, frozenset({"RS256"})) == Header("RS256", None)


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": "JOSE"},
        {"typ": ""},
        {"typ": None},
        {"typ": ["JWT"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": None},
        {"crit": ["b64"], "b64": True},
        {"kid": 1},
        {"kid": {}},
        {"alg": None},
        {"alg": ["RS256"]},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "rs256"},
    ],
    ids=str,
)
def test_headers_of_other_tokens_are_refused(header: dict[str, Any]) -> None:
    """RFC 8725, 3.11: a token that was made for something else gives no access; nor does one that we cannot check."""
    with pytest.raises(InvalidTokenError):
        read_header({**HEADER, **header}, frozenset({"RS256", "ES256"}))


def test_audience() -> None:
    """Where one is set, a token must be made for it, maybe among others; else it is not asked for."""
    ours = ClaimsPolicy(frozenset(), audience="statistics")
    good: list[Any] = ["statistics", ["statistics"], ["other", "statistics"], [None, "statistics"]]
    for aud in good:
        assert read(ours, aud=aud).user_id == "u"
    bad: list[Any] = ["other", "statistics ", "STATISTICS", [], ["other"], [["statistics"]], {"statistics": 1}, None]
    for aud in bad:
        with pytest.raises(InvalidTokenError):
            read(ours, aud=aud)
        assert read(ANYBODYS, aud=aud).user_id == "u"
    with pytest.raises(InvalidTokenError):
        read(ours)


def test_name_and_end() -> None:
    """A caller has the name and the end of its token; a name that is no text is none, and the token is as good."""
    assert read(ANYBODYS, name="test") == Caller("p", "u", True, "test", 4e9)
    for name in (None, 5, ["test"], {"test": 1}, True):
        assert read(ANYBODYS, name=name) == Caller("p", "u", True, None, 4e9)
    assert read(ANYBODYS) == Caller("p", "u", True, None, 4e9)


def test_issuer() -> None:
    """Where one is set, a token must be made by it, to the letter; else it is not asked for."""
    theirs = ClaimsPolicy(frozenset(), issuer="https://id.example")
    assert read(theirs, iss="https://id.example").user_id == "u"
    bad: list[Any] = ["https://id.example/", "HTTPS://id.example", ["https://id.example"], {}, None, 1]
    for iss in bad:
        with pytest.raises(InvalidTokenError):
            read(theirs, iss=iss)
        assert read(ANYBODYS, iss=iss).user_id == "u"
    with pytest.raises(InvalidTokenError):
        read(theirs)


@pytest.mark.parametrize(
    "claims",
    [
        b'"exp": 1e400',
        b'"exp": 1' + b"0" * 400,
        b'"exp": -1e400',
        b'"exp": NaN',
        b'"nbf": Infinity',
        b'"roles": ["boss", 1]',
        b'"roles": ["\\ud800"]',
        b'"sub": "\\ud800"',
        b'"sub": "u\\u0000"',
        b'"more": ' + b"[" * 3000 + b"]" * 3000,
        b'"more": ' + b'{"a":' * 3000 + b"1" + b"}" * 3000,
    ],
    ids=lambda text: text[:20],
)
def test_claims_that_are_none_are_refused(claims: bytes) -> None:
    """Numbers beyond all bounds, text that is none, and what is nested too deep."""
    payload = json.dumps(CLAIMS).encode().removesuffix(b"}") + b", " + claims + b"}"
    with pytest.raises(InvalidTokenError):
        read_claims(payload, ANYBODYS)


def test_an_error_tells_nothing_of_the_token() -> None:
    """The names of claims that we know are all it has."""
    with pytest.raises(InvalidTokenError) as raised:
        read(ANYBODYS, roles=["s3cr3t", 1], sub="s3cr3t/", s3cr3t=5)
    assert "s3cr3t" not in str(raised.value)


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


HEADERS = objects(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "zip"], {"alg": "HS256", "typ": "JWT"})
ANY_CLAIMS = objects([*CLAIMS, "nbf", "aud", "iss", "iat", "name"], {**CLAIMS, "exp": time.time() + 3600})


@given(texts(HEADERS), texts(ANY_CLAIMS))
async def test_no_token_raises_anything_else(header: bytes, claims: bytes) -> None:
    """Well signed, and whatever else it is: there is a caller, or the token is not valid."""
    authenticator = JwtAuthenticator(SecretKey(SECRET), ClaimsPolicy(frozenset({"boss"}), "RSA", "EC"))
    text = f"{encoded(header)}.{encoded(claims)}"
    token = f"{text}.{encoded(hmac.digest(SECRET.encode(), text.encode(), hashlib.sha256))}"
    for keys in (authenticator, JwtAuthenticator(SecretKey(SECRET), ANYBODYS)):
        with suppress(InvalidTokenError):
            assert (await keys.authenticate(token)).user_id
