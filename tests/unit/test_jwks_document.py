"""Which keys of a JWKS document verify tokens: those that are as they must be, whatever stands beside them."""

import json
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from service.auth.jwks_document import UnusableKeysError, read_keys
from tests.odd_json import objects, texts


def jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **members: Any) -> dict[str, Any]:
    """The public half of a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), **members}
    return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), **members}


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_JWK, EC_JWK = jwk(RSA_KEY, kid="r"), jwk(EC_KEY, kid="e")
DEEP = {"kty": "RSA", "x5c": json.loads("[" * 500 + "]" * 500)}


def found(*members: Any) -> list[tuple[str | None, str]]:
    """The ids and algorithms of the keys that are found in a set of these members."""
    return [(key.key_id, key.algorithm_name) for key in read_keys(json.dumps({"keys": members}).encode())]


@pytest.mark.parametrize("member", [RSA_JWK, EC_JWK], ids=["RSA", "EC"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"use": "sig"},
        {"key_ops": ["verify"]},
        {"key_ops": ["sign", "verify"]},
        {"use": None, "key_ops": None, "alg": None, "kid": None, "d": None},
        {"x5c": ["!!"]},
        {"x5c": ["MII"], "x5t": "a", "exp": 5, "": {}},
        {"kid": None},
    ],
    ids=str,
)
def test_keys_for_verifying_are_found(member: dict[str, Any], more: dict[str, Any]) -> None:
    """Whether the issuer says what they are for, or nothing; other members mean nothing."""
    keys = {key: value for key, value in member.items() if key != "key_ops"}
    assert len(found({**keys, **more})) == 1


LEFT_OUT: dict[str, Any] = {
    "a list as its algorithm": {**RSA_JWK, "alg": ["RS256"]},
    "another algorithm": {**RSA_JWK, "alg": "RS512"},
    "the algorithm of the other kind": {**RSA_JWK, "alg": "ES256"},
    "for HMAC": {**RSA_JWK, "alg": "HS256"},
    "an object as its use": {**RSA_JWK, "use": {}},
    "for encryption": {**RSA_JWK, "use": "enc"},
    "for signing alone": {**RSA_JWK, "key_ops": ["sign"]},
    "for nothing": {**RSA_JWK, "key_ops": []},
    "text as its operations": {**RSA_JWK, "key_ops": "verify"},
    "a number as its id": {**RSA_JWK, "kid": 1},
    "private": {**RSA_JWK, "d": "AQAB"},
    "deep": DEEP,
    "1024 bits": jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024), kid="w"),  # noqa: S505
    "16384 bits": {**RSA_JWK, "n": "_" * 2731},
    "an even exponent": {**RSA_JWK, "e": "Ag"},
    "a huge exponent": {**RSA_JWK, "e": RSA_JWK["n"]},
    "no modulus": {key: value for key, value in RSA_JWK.items() if key != "n"},
    "a modulus that is no text": {**RSA_JWK, "n": 5},
    "no base64": {**RSA_JWK, "n": "%" * 400},
    "P-384": jwk(ec.generate_private_key(ec.SECP384R1()), kid="p"),
    "P-384, said to be ES256": jwk(ec.generate_private_key(ec.SECP384R1()), alg="ES256"),
    "no point": {**EC_JWK, "x": EC_JWK["y"]},
    "half a point": {key: value for key, value in EC_JWK.items() if key != "y"},
    "a secret": {"kty": "oct", "kid": "s", "k": "YSBzZWNyZXQgb2YgdGVzdHMgdGhhdCBpcyBsb25nIGVub3VnaA"},
    "Ed25519": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    "of a new kind": {"kty": "new"},
    "a kind that is no text": {**RSA_JWK, "kty": {}},
    "an array": [RSA_JWK],
    "null": None,
    "text": "key",
    "empty": {},
}


@pytest.mark.parametrize("member", LEFT_OUT.values(), ids=LEFT_OUT)
def test_odd_and_weak_members_are_left_out(member: Any) -> None:
    """The others serve; with no other the set is not usable."""
    assert found(RSA_JWK, member, EC_JWK) == [("r", "RS256"), ("e", "ES256")]
    with pytest.raises(UnusableKeysError):
        found(member)


@pytest.mark.parametrize(
    "text", [b"[" * 100_000 + b"]" * 100_000, b"1" + b"0" * 5_000, b"1e400", b'"\\ud800"'], ids=["deep", "1", "2", "3"]
)
def test_what_no_parser_takes_costs_its_own_member_alone(text: bytes) -> None:
    """A document is not refused for one member that is too deep, too large a number, or no text."""
    good = json.dumps(EC_JWK).encode()
    odd = json.dumps(RSA_JWK).encode().removesuffix(b"}") + b', "x5c": ' + text + b"}"
    keys = read_keys(b'{"more": %b, "keys": [%b, %b]}' % (text, odd, good))
    assert [key.key_id for key in keys if key.algorithm_name == "ES256"] == ["e"]


UNUSABLE = {
    "nothing": b"",
    "HTML": b"<html>",
    "an array": json.dumps([RSA_JWK]).encode(),
    "one key": json.dumps(RSA_JWK).encode(),
    "keys by name": json.dumps({"keys": {"r": RSA_JWK}}).encode(),
    "no keys": b'{"keys": []}',
    "null": b'{"keys": null}',
    "deep": b"[" * 200_000,
    "not UTF-8": json.dumps({"keys": [RSA_JWK]}).encode()[:-1] + b', "a": "\xff"}',
    "UTF-16": json.dumps({"keys": [RSA_JWK]}).encode("utf-16"),
    "cut": json.dumps({"keys": [RSA_JWK]}).encode()[:-1],
    "NaN": b'{"keys": [NaN]}',
}


@pytest.mark.parametrize("document", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_key_set_is_unusable(document: bytes) -> None:
    """It says so by one error."""
    with pytest.raises(UnusableKeysError):
        read_keys(document)


NAMES = sorted({*RSA_JWK, *EC_JWK, "alg", "use", "key_ops", "d"})
MEMBERS = objects(NAMES, RSA_JWK) | objects(NAMES, EC_JWK)


@given(texts(st.lists(MEMBERS, max_size=3).map(lambda members: {"keys": members}) | objects(["keys"], {"keys": []})))
def test_no_document_raises_anything_else(document: bytes) -> None:
    """Whatever it is, there are keys, or the one error."""
    with suppress(UnusableKeysError):
        assert read_keys(document)


@given(texts(MEMBERS))
def test_a_good_key_is_found_beside_any_other(member: bytes) -> None:
    """As long as the other is JSON at all."""
    try:
        json.loads(member)
    except (ValueError, RecursionError):
        return
    if b"NaN" in member or b"Infinity" in member:
        return
    document = b'{"keys": [%b, %b]}' % (member, json.dumps(EC_JWK | {"kid": "good"}).encode())
    assert "good" in {key.key_id for key in read_keys(document)}
