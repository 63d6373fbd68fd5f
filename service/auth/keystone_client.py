"""Asks Keystone about tokens. It authenticates with a token of this service, which it renews before that expires."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from service.auth.caller import IdentityUnavailableError
from service.auth.http_body import read_body
from service.auth.keystone_answers import Credentials, Described, is_of_keystone, parse_token
from service.auth.metrics import IdentityMetrics, Request, Result
from service.runtime.tasks import SharedTask
from service.runtime.trouble import Outage

_log = logging.getLogger(__name__)
_MAX_ANSWER_BYTES = 1_048_576  # a token with a thousand roles, and no catalogue
_RENEWED_AT = 0.75  # of the life of this service's own token
_TIMEOUT = aiohttp.ClientTimeout(total=5)  # of one request; less than a question may take
_FORBIDDEN_SECONDS = 30.0  # probes remember for so long that this service may not validate tokens
_MAX_RETRY_AFTER_SECONDS = 60.0
# what is asked for by each method, and the answers that refuse it
_REQUESTS: Mapping[str, tuple[Request, frozenset[int]]] = {
    "GET": ("validate", frozenset({404})),
    "POST": ("login", frozenset({400, 401, 403})),
}
_REFUSED_COOL_DOWN_SECONDS = 10.0  # Keystone may lock a user whose password is wrong too often


class CredentialsRefusedError(IdentityUnavailableError):
    """Keystone does not accept the name and password of this service."""


@dataclass(frozen=True, slots=True)
class _OurToken:
    """A token of this service, when to renew it, and when it expires (monotonic seconds)."""

    text: str = field(repr=False)
    renew_at: float
    until: float


class KeystoneClient:
    """Asks one Keystone through a session, which its maker closes; logs when Keystone goes away and comes back."""

    def __init__(  # noqa: PLR0913 - its clocks too are passed in
        self,
        url: str,
        credentials: Credentials,
        session: aiohttp.ClientSession,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        unix_time_seconds: Callable[[], float] = time.time,
        *,
        metrics: IdentityMetrics | None = None,
    ) -> None:
        self.metrics = metrics or IdentityMetrics()
        self._tokens_url = url.rstrip("/").removesuffix("/v3") + "/v3/auth/tokens"
        self._credentials = credentials
        self._session = session
        self._monotonic_seconds = monotonic_seconds
        self._unix_time_seconds = unix_time_seconds
        self._ours: _OurToken | None = None
        self._renewal = SharedTask(self._renew)
        self._failure: IdentityUnavailableError | None = None
        self._failed_until = float("-inf")
        self._forbidden_until = float("-inf")
        self._outage = Outage(_log, "tokens cannot be checked", "Keystone answers again")

    async def validate(self, token: str) -> Described | None:
        """Returns Keystone's description of a token, or None if Keystone does not know the token.

        Keystone does not know a token that is expired, revoked, or of a disabled user or project. Raises
        IdentityUnavailableError.
        """
        try:
            described = await self._validate(token)
        except IdentityUnavailableError as error:
            self._outage.note(str(error))
            raise
        if self._monotonic_seconds() >= self._forbidden_until:
            self._outage.note(None)
        return described

    async def ping(self) -> None:
        """Asks Keystone about this service's own token; raises IdentityUnavailableError unless that is valid."""
        ours = await self._our_token()
        if await self.validate(ours.text) is None and self._ours is ours:
            self._drop(ours)
            raise IdentityUnavailableError("Keystone does not know our token any more")
        # everybody may validate the own token: only the callers' show that this service may not validate others
        if self._monotonic_seconds() < self._forbidden_until:
            raise _forbidden()

    async def close(self) -> None:
        """Cancels the renewal that is under way, if any, and awaits its end."""
        await self._renewal.close()

    async def _validate(self, token: str) -> Described | None:
        for _ in range(2):
            ours = await self._our_token()
            status, body, headers = await self._request(
                "GET", params={"nocatalog": ""}, headers={"X-Auth-Token": ours.text, "X-Subject-Token": token}
            )
            if token != ours.text and status in {200, 403}:
                forbidden_seconds = _FORBIDDEN_SECONDS if status == 403 else float("-inf")
                self._forbidden_until = self._monotonic_seconds() + forbidden_seconds
            if status == 200:
                if headers.get("X-Subject-Token") != token:  # a cache before Keystone may not tell tokens apart
                    raise IdentityUnavailableError("Keystone answers about another token")
                return parse_token(body)
            if status == 404 and is_of_keystone(status, body):
                return None
            if status == 403:
                raise _forbidden()
            if status != 401:
                raise IdentityUnavailableError(f"Keystone answers with status {status}", _retry_after_seconds(headers))
            self._drop(ours)
        raise IdentityUnavailableError("Keystone refuses tokens that it has just given us")

    async def _our_token(self) -> _OurToken:
        """Returns a token of this service that has not expired. Awaits a renewal only if there is none.

        A token that will expire soon is renewed by a task of its own, while requests go on to use it.
        """
        now, ours = self._monotonic_seconds(), self._ours
        if ours is None or now >= ours.until:
            return await self._renewal.join()
        if now >= ours.renew_at and now >= self._failed_until:
            self._renewal.begin()
        return ours

    async def _renew(self) -> _OurToken:
        left_seconds = self._failed_until - self._monotonic_seconds()
        if self._failure is not None and left_seconds > 0:
            raise type(self._failure)(str(self._failure), left_seconds)
        try:
            ours = await self._obtain()
        except IdentityUnavailableError as error:
            refused = isinstance(error, CredentialsRefusedError)
            cool_down_seconds = _REFUSED_COOL_DOWN_SECONDS if refused else max(1.0, error.retry_after_seconds)
            self._failure, self._failed_until = error, self._monotonic_seconds() + cool_down_seconds
            if self._ours is None or self._monotonic_seconds() >= self._ours.until:
                self._outage.note(str(error))
            raise
        self._ours, self._failure = ours, None
        return ours

    async def _obtain(self) -> _OurToken:
        asked_at = self._monotonic_seconds()
        status, body, headers = await self._request("POST", params={"nocatalog": ""}, json=self._credentials.request())
        if status in {400, 401, 403} and is_of_keystone(status, body):
            raise CredentialsRefusedError(
                "Keystone refuses STATS_KEYSTONE_USERNAME, _PASSWORD, _PROJECT and _DOMAIN of this service",
                _REFUSED_COOL_DOWN_SECONDS,
            )
        text = headers.get("X-Subject-Token", "")
        if status != 201 or not text or not text.isascii() or not text.isprintable():
            raise IdentityUnavailableError(
                f"Keystone gives us no token: status {status}", _retry_after_seconds(headers)
            )
        life_seconds = parse_token(body).expires_at.timestamp() - self._unix_time_seconds()
        if life_seconds <= 0:
            raise IdentityUnavailableError("our token has ended as it begins: do our clock and Keystone's agree?")
        return _OurToken(text, asked_at + _RENEWED_AT * life_seconds, asked_at + life_seconds)

    async def _request(self, method: str, **options: Any) -> tuple[int, bytes, Any]:
        what, refusals = _REQUESTS[method]
        result: Result = "away"
        started = time.perf_counter()
        try:
            async with self._session.request(
                method, self._tokens_url, allow_redirects=False, timeout=_TIMEOUT, **options
            ) as response:
                body = await read_body(response, _MAX_ANSWER_BYTES)
                result = "good" if response.ok and body is not None else "failed"
                result = "refused" if response.status in refusals else result
                if body is None:
                    raise IdentityUnavailableError("Keystone answers with more bytes than a token has")
                return response.status, body, response.headers
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # ValueError: of a host name, or a header
            # the error's text is left out: it may hold the URL
            raise IdentityUnavailableError(f"Keystone cannot be asked: {type(error).__name__}") from error
        finally:
            self.metrics.asked(what, result, time.perf_counter() - started)

    def _drop(self, ours: _OurToken) -> None:
        if self._ours is ours:
            self._ours = None


def _forbidden() -> IdentityUnavailableError:
    return IdentityUnavailableError("Keystone forbids us to validate tokens", _FORBIDDEN_SECONDS)


def _retry_after_seconds(headers: Mapping[str, str]) -> float:
    """Returns the wait that Keystone, or a proxy before it, asks for; 1 second if it asks for none."""
    wanted = headers.get("Retry-After", "")
    return min(float(wanted), _MAX_RETRY_AFTER_SECONDS) if re.fullmatch("[0-9]{1,9}", wanted) else 1.0
