"""What an answer of Keystone says of a token; whatever it is, there is a description or nobody can tell."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from service.auth.caller import IdentityUnavailableError
from service.auth.keystone_answers import is_of_keystone, parse_token
from tests.odd_json import objects, texts

TOKEN: dict[str, Any] = {
    "expires_at": "2100-01-01T00:00:00.000000Z",
    "user": {"id": "u", "name": "n", "domain": {"id": "default"}},
    "project": {"id": "p"},
    "roles": [{"id": "r", "name": "member"}],
}


def answer(**members: Any) -> bytes:
    """A good answer but for these members."""
    return json.dumps({"token": {**TOKEN, **members}}).encode()


@pytest.mark.parametrize(
    "members",
    [
        {"expires_at": 4_000_000_000},
        {"expires_at": "4000000000"},
        {"expires_at": "2100-01-01"},
        {"expires_at": "2100-01-01T00:00:00"},
        {"expires_at": None},
        {"user": []},
        {"user": {"id": 1}},
        {"user": {"id": ""}},
        {"user": {"id": "x" * 256}},
        {"user": {"id": "\ud800"}},
        {"user": {"id": "u", "name": 1}},
        {"project": "p"},
        {"project": {"id": {}}},
        {"roles": None},
        {"roles": {"name": "member"}},
        {"roles": ["member"]},
        {"roles": [{"name": ["member"]}]},
        {"roles": [{"name": "member"}] * 1_001},
        {"catalog": json.loads("[" * 500 + "]" * 500)},
    ],
    ids=lambda members: str(members)[:40],
)
def test_answers_that_are_not_keystones_say_nothing(members: dict[str, Any]) -> None:
    """A member of another type, without bounds, or too deep: the token is neither good nor refused."""
    assert parse_token(answer()).user.id == "u"
    with pytest.raises(IdentityUnavailableError):
        parse_token(answer(**members))


TOKENS = objects([*TOKEN, "id", "name", "is_domain"], TOKEN).map(lambda token: {"token": token})


@given(texts(TOKENS | objects(["token", "error", "code"], {"error": {"code": 404}})))
def test_no_answer_raises_anything_else(body: bytes) -> None:
    """Nor does the end of the token, or what it is for."""
    is_of_keystone(404, body)
    with suppress(IdentityUnavailableError):
        described = parse_token(body)
        assert described.expires_at.timestamp() < 1e12
        assert len(described.role_names) <= 1_000


@pytest.mark.parametrize(
    "body", [b'{"error":{"code":"404"}}', b'{"error":{"code":404.0}}', b"{}", b"[" * 10_000, b"\xff"]
)
def test_errors_of_others_are_not_keystones(body: bytes) -> None:
    """Only what says its own status as Keystone does is an answer about a token."""
    assert is_of_keystone(404, b'{"error":{"code":404,"title":"Not Found"}}')
    assert not is_of_keystone(404, body)
