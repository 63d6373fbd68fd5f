"""The public keys of a JWKS URL, kept and renewed."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

from service.auth.caller import IdentityUnavailableError, InvalidTokenError

_log = logging.getLogger(__name__)
ALGORITHMS = frozenset({"RS256", "ES256"})


@dataclass(frozen=True, slots=True)
class JwksPolicy:
    """When keys are fetched anew, and what a fetch may cost.

    Keys older than `refresh_seconds` are renewed; if that fails they serve up to `max_age_seconds`. Fetches
    start at least `cool_down_seconds` apart, so that made-up key ids or an outage cause no storm of them.
    """

    refresh_seconds: float = 300
    max_age_seconds: float = 3600
    cool_down_seconds: float = 10
    timeout_seconds: float = 5
    max_bytes: int = 262_144


class JwksKeys:
    """Keys by their id (`kid`). One fetch at a time, shared by all who wait for it."""

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
        self._fetch: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> PyJWK:
        """The key of that id, or the only key for a token without one.

        Raises InvalidTokenError if there is none, IdentityUnavailableError if no fetch could tell.
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
        """Raises IdentityUnavailableError unless there are keys, or they can be fetched."""
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
        """Fetch the keys, or join the fetch under way, or leave it within the cool-down."""
        if self._fetch is None or self._fetch.done():
            if self._monotonic_seconds() - self._attempted_at < self._policy.cool_down_seconds:
                return
            self._attempted_at = self._monotonic_seconds()
            self._fetch = asyncio.create_task(self._fetch_keys())
        # One caller that goes away must not end the fetch of the others.
        await asyncio.shield(self._fetch)

    async def _fetch_keys(self) -> None:
        try:
            self._keys = await self._download()
        except (aiohttp.ClientError, TimeoutError, ValueError, PyJWTError) as error:
            # Not the text of a client error: it holds the URL, and that may hold a secret.
            reason = str(error) if type(error) is ValueError else type(error).__name__
            self._failure = f"the JWKS cannot be fetched: {reason}"
            _log.warning(self._failure)
        else:
            self._failure = None
            self._fetched_at = self._monotonic_seconds()

    async def _download(self) -> list[PyJWK]:
        """The usable keys behind the URL; an answer that is no key set raises, and replaces nothing."""
        timeout = aiohttp.ClientTimeout(total=self._policy.timeout_seconds)
        async with self._session.get(self._url, timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > self._policy.max_bytes:
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
