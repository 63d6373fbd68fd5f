"""Authenticates callers by signed JWTs: HS256 with a shared secret, or RS256 and ES256 with the keys of a JWKS."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Protocol

from jwt import PyJWK, PyJWS
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidTokenError as RejectedError
from jwt.utils import force_bytes
from pydantic import BaseModel, ConfigDict, FiniteFloat, StringConstraints, ValidationError

from service.auth.caller import Caller, InvalidTokenError

MAX_TOKEN_LENGTH = 8192
MAX_REMEMBERED_TOKENS = 4096
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Claims(BaseModel):
    """The claims that a token must have, each of exactly its type; times are Unix seconds. Other claims are ignored."""

    model_config = ConfigDict(frozen=True, strict=True)

    sub: Identifier
    project_id: Identifier
    roles: list[str]
    exp: FiniteFloat
    nbf: FiniteFloat = 0.0


class _CheckedHmac(HMACAlgorithm):
    """HS256 with a secret that SecretKey has checked; PyJWT would check it, and warn of a short one, at every token."""

    def prepare_key(self, key: str | bytes) -> bytes:
        """Returns the key without a check. PyJWT calls it."""
        return force_bytes(key)

    def check_key_length(self, key: bytes) -> None:
        """Accepts a key of any length: the factory has logged a short one at the start. PyJWT calls it."""


class VerificationKeys(Protocol):
    """Finds the keys that verify the signatures of tokens."""

    async def find(self, key_id: str | None) -> PyJWK:
        """Returns the key of a token's `kid`; raises InvalidTokenError or IdentityUnavailableError."""
        ...

    async def ping(self) -> None:
        """Raises IdentityUnavailableError unless there are keys to verify with."""
        ...


class SecretKey:
    """Verifies HS256 tokens by one secret. Its constructor raises jwt.InvalidKeyError if the secret is a public key."""

    def __init__(self, secret: str) -> None:
        checked = HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
        self._key = PyJWK(HMACAlgorithm.to_jwk(checked, as_dict=True), algorithm="HS256")
        self._key.Algorithm = _CheckedHmac(HMACAlgorithm.SHA256)

    async def find(self, key_id: str | None) -> PyJWK:
        """Returns the secret, whatever `kid` a token has."""
        return self._key

    async def ping(self) -> None:
        """Returns at once: a secret need not be fetched."""


@dataclass(frozen=True, slots=True)
class _Verified:
    """The claims of a token, and the key that it was verified with."""

    key_id: str | None
    key: PyJWK
    claims: _Claims


class JwtAuthenticator:
    """An Authenticator that verifies the signatures of JWTs itself.

    Verifying costs more than the rest of a request, so it remembers the tokens verified last, by digest. A token is
    remembered only while the key that it was verified with is in use. Its times are checked at every request.
    """

    def __init__(
        self,
        keys: VerificationKeys,
        admin_roles: frozenset[str],
        unix_time_seconds: Callable[[], float] = time.time,
        max_remembered: int = MAX_REMEMBERED_TOKENS,
    ) -> None:
        self._keys = keys
        self._max_remembered = max_remembered
        self._admin_roles = admin_roles
        self._unix_time_seconds = unix_time_seconds
        self._jws = PyJWS()
        self._verified: dict[bytes, _Verified] = {}

    async def authenticate(self, token: str) -> Caller:
        """Returns the caller that a token names; raises InvalidTokenError or IdentityUnavailableError."""
        if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
            raise InvalidTokenError("too long, or not ASCII")
        claims = await self._claims(token)
        if not claims.nbf <= self._unix_time_seconds() < claims.exp:
            raise InvalidTokenError("expired, or not valid yet")
        return Caller(claims.project_id, claims.sub, not self._admin_roles.isdisjoint(claims.roles))

    async def ping(self) -> None:
        """Raises IdentityUnavailableError unless there are keys to verify with."""
        await self._keys.ping()

    async def _claims(self, token: str) -> _Claims:
        digest = sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and await self._keys.find(known.key_id) is known.key:
            return known.claims
        verified = await self._verify(token)
        if len(self._verified) >= self._max_remembered:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = verified
        return verified.claims

    async def _verify(self, token: str) -> _Verified:
        try:
            key_id = self._jws.get_unverified_header(token).get("kid")
            key = await self._keys.find(key_id)
            # The algorithm is the key's, never the token's: so no token is verified by `none` or by a foreign one.
            payload = self._jws.decode(token, key, algorithms=[key.algorithm_name])
            return _Verified(key_id, key, _Claims.model_validate_json(payload))
        except RejectedError as error:
            raise InvalidTokenError(type(error).__name__) from error
        except ValidationError as error:
            wrong = sorted({str(problem["loc"][:1]) for problem in error.errors(include_input=False)})
            raise InvalidTokenError(f"claims not valid: {wrong}") from None
