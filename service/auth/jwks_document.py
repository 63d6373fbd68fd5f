"""Reads the keys of a JWKS document, which others write: an odd member is left out, whatever is odd about it. Pure.

The format: RFC 7517; members of keys: RFC 7518, section 6.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from jwt import PyJWK
from jwt.exceptions import PyJWTError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from service.events.json_members import NotJsonError, split_elements, split_members

ALGORITHMS = frozenset({"RS256", "ES256"})
_RSA_BITS = range(2048, 8193)  # RFC 7518, 3.3; a larger one takes milliseconds a token
_Number = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=8192 // 6 + 1)]


class UnusableKeysError(ValueError):
    """A document holds no key that verifies tokens; the text says why, and repeats nothing of the document."""


class _Member(BaseModel):
    """What keys of both kinds have. A member that is there and not as it is here makes the key one that is left out."""

    model_config = ConfigDict(frozen=True, strict=True)

    kid: str | None = None
    use: Literal["sig"] | None = None
    key_ops: list[str] | None = None
    d: None = None  # with a private key that is published everybody can sign

    @property
    def is_for_verifying(self) -> bool:
        """Tells whether the issuer says nothing else about the purpose of the key."""
        return self.key_ops is None or "verify" in self.key_ops


class _RsaMember(_Member):
    kty: Literal["RSA"]
    alg: Literal["RS256"] | None = None
    n: _Number
    e: Annotated[_Number, Field(max_length=11)]  # 64 bits: a longer one takes long to verify with

    def key(self) -> PyJWK:
        """Returns the key. Raises PyJWTError if these numbers are none, or too few bits."""
        key = PyJWK({"kty": "RSA", "kid": self.kid, "n": self.n, "e": self.e}, algorithm="RS256")
        if key.key.key_size not in _RSA_BITS:
            raise PyJWTError("too short or too long")
        return key


class _EcMember(_Member):
    kty: Literal["EC"]
    crv: Literal["P-256"]
    alg: Literal["ES256"] | None = None
    x: _Number
    y: _Number

    def key(self) -> PyJWK:
        """Returns the key. Raises PyJWTError if these numbers are no point of the curve."""
        return PyJWK({"kty": "EC", "kid": self.kid, "crv": self.crv, "x": self.x, "y": self.y}, algorithm="ES256")


_read_member = TypeAdapter[_RsaMember | _EcMember](
    Annotated[_RsaMember | _EcMember, Field(discriminator="kty")]
).validate_json


def read_keys(document: bytes) -> list[PyJWK]:
    """Returns the keys of a document that verify RS256 or ES256, in its order. JwksKeys calls it.

    Raises UnusableKeysError if there is none, and nothing else, whatever the document is.
    """
    try:
        document.decode()
        members = split_members(document)
        elements = split_elements((members or {}).get("keys", b"null"))
    except UnicodeDecodeError:
        raise UnusableKeysError("not UTF-8") from None
    except NotJsonError:
        raise UnusableKeysError("not JSON") from None
    if elements is None:
        raise UnusableKeysError("not a JSON object with an array of keys")
    keys = list(_usable(elements))
    if not keys:
        raise UnusableKeysError("no key for RS256 or ES256")
    return keys


def _usable(elements: list[bytes]) -> Iterator[PyJWK]:
    for element in elements:
        try:
            member = _read_member(element)
            if member.is_for_verifying:
                yield member.key()
        except (ValidationError, PyJWTError):
            continue
