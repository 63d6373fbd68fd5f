"""Fetches the public keys of a JWKS URL, remembers them, and renews them. JwtAuthenticator verifies with them."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

from service.auth.caller import IdentityUnavailableError, InvalidTokenError
from service.auth.http_body import read_body
from service.runtime.tasks import SharedTask

_log = logging.getLogger(__name__)
ALGORITHMS = frozenset({"RS256", "ES256"})


@dataclass(frozen=True, slots=True)
class JwksPolicy:
    """Says when keys are fetched anew, and how long and how large a fetch may be.

    Keys older than `refresh_seconds` are renewed; if that fails, they are used up to an age of `max_age_seconds`.
    Fetches start at least `cool_down_seconds` apart, so that neither made-up key ids nor an outage cause many fetches.
    """

    refresh_seconds: float = 300
    max_age_seconds: float = 3600
    cool_down_seconds: float = 10
    timeout_seconds: float = 5
    max_bytes: int = 262_144


class JwksKeys:
    """Finds keys by their id (`kid`). It makes one fetch at a time, which all requests that need it share."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        policy: JwksPolicy | None = None,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._session = session
        self._policy = policy or JwksPolicy()
        self._monotonic_seconds = monotonic_seconds
        self._keys: list[PyJWK] = []
        self._fetched_at = float("-inf")
        self._attempted_at = float("-inf")
        self._failure: str | None = None
        self._fetch = SharedTask(self._fetch_keys)

    async def find(self, key_id: str | None) -> PyJWK:
        """Returns the key with that id, or the only key for a token without an id; may await a fetch.

        Raises InvalidTokenError if there is no such key, IdentityUnavailableError if the last fetch failed.
        """
        key = self._known(key_id)
        if key is None or self._age_seconds() >= self._policy.refresh_seconds:
            await self._renew()
            key = self._known(key_id)
        if key is not None:
            return key
        if self._failure is not None:
            raise IdentityUnavailableError(self._failure)
        raise InvalidTokenError("signed with an unknown key")

    async def ping(self) -> None:
        """Raises IdentityUnavailableError unless there are keys, or they can be fetched now."""
        if self._age_seconds() >= self._policy.refresh_seconds:
            await self._renew()
        if self._failure is not None and self._age_seconds() >= self._policy.max_age_seconds:
            raise IdentityUnavailableError(self._failure)

    def _age_seconds(self) -> float:
        return self._monotonic_seconds() - self._fetched_at

    def _known(self, key_id: str | None) -> PyJWK | None:
        if self._age_seconds() >= self._policy.max_age_seconds:
            return None
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    async def _renew(self) -> None:
        """Fetches the keys, or awaits the fetch under way; within the cool-down it returns at once."""
        if not self._fetch.is_running:
            if self._monotonic_seconds() - self._attempted_at < self._policy.cool_down_seconds:
                return
            self._attempted_at = self._monotonic_seconds()
        await self._fetch.join()

    async def _fetch_keys(self) -> None:
        try:
            self._keys = await self._download()
        except (aiohttp.ClientError, TimeoutError, ValueError, PyJWTError) as error:
            # The reason is not the text of a client error: that holds the URL, which may hold a secret.
            reason = str(error) if type(error) is ValueError else type(error).__name__
            self._failure = f"the JWKS cannot be fetched: {reason}"
            _log.warning(self._failure)
        else:
            self._failure = None
            self._fetched_at = self._monotonic_seconds()

    async def _download(self) -> list[PyJWK]:
        """Returns the usable keys of the URL. An answer that is no key set raises, so that the known keys stay."""
        timeout = aiohttp.ClientTimeout(total=self._policy.timeout_seconds)
        async with self._session.get(self._url, timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            body = await read_body(response, self._policy.max_bytes)
        if body is None:
            raise ValueError("more bytes than a key set has")
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - bad data, not a bad call
        usable = [
            key
            for key in PyJWKSet.from_dict(document).keys
            if key.algorithm_name in ALGORITHMS and key.public_key_use in {None, "sig"}
        ]
        if not usable:
            raise ValueError("no key for RS256 or ES256")
        return usable
