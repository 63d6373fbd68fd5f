"""Authenticates callers by signed JWTs: HS256 with a shared secret, or RS256 and ES256 with the keys of a JWKS."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from jwt import PyJWK, PyJWS
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidTokenError as RejectedError
from jwt.utils import force_bytes

from service.auth.caller import Caller, InvalidTokenError
from service.auth.jwt_claims import Claims, ClaimsPolicy, read_claims, read_header
from service.auth.metrics import IdentityMetrics

MAX_TOKEN_LENGTH = 8192
MAX_REMEMBERED_TOKENS = 4096


class _CheckedHmac(HMACAlgorithm):
    """HS256 with a secret that SecretKey has checked; PyJWT would check at every token that it is no public key."""

    def prepare_key(self, key: str | bytes) -> bytes:
        """Returns the key without a check. PyJWT calls it."""
        return force_bytes(key)


class VerificationKeys(Protocol):
    """Finds the keys that verify the signatures of tokens, and says by which algorithms."""

    algorithms: frozenset[str]

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK:
        """Returns the key of a token's `kid` and `alg`; raises InvalidTokenError or IdentityUnavailableError."""
        ...

    def current(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """Returns what `find` would, if it need not wait for it."""
        ...

    async def ping(self) -> None:
        """Raises IdentityUnavailableError unless there are keys to verify with."""
        ...


class SecretKey:
    """Verifies HS256 tokens by one secret. Its constructor raises jwt.InvalidKeyError if the secret is a public key."""

    algorithms = frozenset({"HS256"})

    def __init__(self, secret: str) -> None:
        checked = HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(os.fsencode(secret))
        self._key = PyJWK(HMACAlgorithm.to_jwk(checked, as_dict=True), algorithm="HS256")
        self._key.Algorithm = _CheckedHmac(HMACAlgorithm.SHA256)

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK:
        """Returns the secret, whatever `kid` a token has."""
        return self._key

    def current(self, key_id: str | None, algorithm: str) -> PyJWK:
        """Returns the secret, as `find` does."""
        return self._key

    async def ping(self) -> None:
        """Returns at once: a secret need not be fetched."""


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a token says that was verified, and the key that verified it."""

    key_id: str | None
    key: PyJWK
    claims: Claims


class JwtAuthenticator:
    """An Authenticator that verifies the signatures of JWTs itself.

    Verifying costs more than the rest of a request, so it remembers the tokens verified last, by digest. A token is
    remembered only while the key that it was verified with is in use. Its times are checked at every request.
    """

    def __init__(
        self,
        keys: VerificationKeys,
        policy: ClaimsPolicy,
        unix_time_seconds: Callable[[], float] = time.time,
        max_remembered: int = MAX_REMEMBERED_TOKENS,
        *,
        metrics: IdentityMetrics | None = None,
    ) -> None:
        self._count_cached = (metrics or IdentityMetrics()).cached.increase
        self._keys = keys
        self._max_remembered = max_remembered
        self._policy = policy
        self._unix_time_seconds = unix_time_seconds
        self._jws = PyJWS()
        self._verified: dict[bytes, _Verified] = {}

    async def authenticate(self, token: str) -> Caller:
        """Returns the caller that a token names; raises InvalidTokenError or IdentityUnavailableError."""
        if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
            raise InvalidTokenError("too long, or not ASCII")
        claims = await self._claims(token)
        if not self._is_time_of(claims):
            raise InvalidTokenError("expired, or not valid yet")
        return claims.caller

    def known(self, token: str) -> Caller | None:
        """See Authenticator.known. Like `authenticate` it looks at the token's times, and at the key, each time."""
        known = self._remembered(token)
        if known is None or self._keys.current(known.key_id, known.key.algorithm_name) is not known.key:
            return None
        return known.claims.caller

    def note_known(self) -> None:
        """See Authenticator.note_known."""
        self._count_cached()

    def knows(self, token: str) -> bool:
        """Returns whether the token has been verified, and its time has come and is not over."""
        return self._remembered(token) is not None

    async def ping(self) -> None:
        """Raises IdentityUnavailableError unless there are keys to verify with."""
        await self._keys.ping()

    def _remembered(self, token: str) -> _Verified | None:
        known = self._verified.get(sha256(token.encode(errors="surrogateescape")).digest())
        return known if known is not None and self._is_time_of(known.claims) else None

    def _is_time_of(self, claims: Claims) -> bool:
        return claims.not_before <= self._unix_time_seconds() < claims.expires_at

    async def _claims(self, token: str) -> Claims:
        digest = sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and await self._keys.find(known.key_id, known.key.algorithm_name) is known.key:
            self._count_cached()
            return known.claims
        verified = await self._verify(token)
        if len(self._verified) >= self._max_remembered:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = verified
        return verified.claims

    async def _verify(self, token: str) -> _Verified:
        try:
            header = read_header(self._jws.get_unverified_header(token), self._keys.algorithms)
            key = await self._keys.find(header.key_id, header.algorithm)
            # The algorithm is the key's, never the token's: so no token is verified by `none` or by a foreign one.
            payload = self._jws.decode(token, key, algorithms=[key.algorithm_name])
        except RejectedError as error:
            raise InvalidTokenError(type(error).__name__) from error
        return _Verified(header.key_id, key, read_claims(payload, self._policy))
