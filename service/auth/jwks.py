"""Fetches the public keys of a JWKS URL, remembers them, and renews them. JwtAuthenticator verifies with them."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from jwt import PyJWK

from service.auth.caller import IdentityUnavailableError, InvalidTokenError
from service.auth.fetch_budget import FetchBudget, FetchPolicy
from service.auth.http_body import read_body
from service.auth.jwks_document import ALGORITHMS, UnusableKeysError, read_keys
from service.auth.metrics import IdentityMetrics, Result
from service.runtime.tasks import SharedTask
from service.runtime.trouble import Outage

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JwksPolicy:
    """Says when keys are fetched anew, how long and how large a fetch may be, and who waits for one.

    Keys older than `refresh_seconds` are renewed, while they go on to serve up to an age of `max_age_seconds`. A
    request waits for a fetch only if it brings a key id that is not known, or if no keys are: `patience_seconds` at
    most, and no more than `most_waiting` at once. A fetch may take longer, so that its keys are there for the next.
    """

    refresh_seconds: float = 300
    max_age_seconds: float = 3600
    patience_seconds: float = 2
    most_waiting: int = 1_000
    timeout_seconds: float = 5
    max_bytes: int = 262_144
    fetches: FetchPolicy = field(default_factory=FetchPolicy)


class JwksKeys:
    """Finds keys by their id (`kid`). It makes one fetch at a time, which all requests that need it share."""

    algorithms = ALGORITHMS

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        policy: JwksPolicy | None = None,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        *,
        metrics: IdentityMetrics | None = None,
    ) -> None:
        self._metrics = metrics or IdentityMetrics()
        self._url = url
        self._session = session
        self._policy = policy or JwksPolicy()
        self._monotonic_seconds = monotonic_seconds
        self._budget = FetchBudget(self._policy.fetches)
        self._keys: list[PyJWK] = []
        self._keys_of: dict[str | None, list[PyJWK]] = {}
        self._fetched_at = float("-inf")
        self._begun_at = float("-inf")
        self._begun = 0  # fetches, ever
        self._fetched = 0  # the number of the fetch that the keys are of
        self._waiting = 0
        self._outage = Outage(_log, "the JWKS cannot be fetched", "the JWKS can be fetched again")
        self._fetch = SharedTask(self._fetch_when_due)

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK:
        """Returns the key with that id, or the only key for a token without an id; awaits a fetch if it is not known.

        Raises InvalidTokenError if there is no such key, or it is of another algorithm. Raises
        IdentityUnavailableError if that cannot be told.
        """
        if self._age_seconds() >= self._policy.refresh_seconds:
            self._renew_beside()
        if not self._known(key_id) and not (key_id is None and self._are_good()):
            await self._await_keys(lambda: bool(self._known(key_id)))
        key = self._of(key_id, algorithm)
        if key is None:
            raise InvalidTokenError(
                "signed by another algorithm than its key's" if self._known(key_id) else "signed with no known key"
            )
        return key

    def current(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """Returns the key that `find` would return at once, else None; begins a fetch as `find` does."""
        if self._age_seconds() >= self._policy.refresh_seconds:
            self._renew_beside()
        return self._of(key_id, algorithm)

    async def ping(self) -> None:
        """Raises IdentityUnavailableError unless there are keys, or they can be fetched now."""
        if self._age_seconds() >= self._policy.refresh_seconds:
            self._renew_beside()
        if not self._are_good():
            await self._await_keys(self._are_good)

    async def close(self) -> None:
        """Cancels the fetch that is under way, if any, and awaits its end."""
        await self._fetch.close()

    def _age_seconds(self) -> float:
        return self._monotonic_seconds() - self._fetched_at

    def _are_good(self) -> bool:
        """Tells whether there are keys that are not too old."""
        return self._age_seconds() < self._policy.max_age_seconds

    def _known(self, key_id: str | None) -> list[PyJWK]:
        """Returns the keys that a token with this id may be signed with: more than one only of several algorithms."""
        if not self._are_good():
            return []
        if key_id is None:
            return self._keys if len(self._keys) == 1 else []
        return self._keys_of.get(key_id, [])

    def _of(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        return next((key for key in self._known(key_id) if key.algorithm_name == algorithm), None)

    def _renew_beside(self) -> None:
        """Begins a fetch, if one may begin now; nobody waits for it."""
        if self._budget.wait_seconds(self._monotonic_seconds()) == 0:
            self._fetch.begin()

    async def _await_keys(self, are_there: Callable[[], bool]) -> None:
        """Awaits fetches until the keys are there, or a fetch that began after now has ended without them.

        So a key that was published a moment ago is found. Raises IdentityUnavailableError.
        """
        if self._waiting >= self._policy.most_waiting:
            raise IdentityUnavailableError("too many requests wait for the JWKS")
        begun = self._begun
        self._waiting += 1
        try:
            async with asyncio.timeout(self._policy.patience_seconds):
                while not are_there() and self._fetched <= begun:
                    await self._next_fetch()
        except TimeoutError:
            left_seconds = self._begun_at + self._policy.timeout_seconds - self._monotonic_seconds()
            raise IdentityUnavailableError("the JWKS is not fetched in time", left_seconds) from None
        finally:
            self._waiting -= 1

    async def _next_fetch(self) -> None:
        """Awaits the fetch under way or the next. Raises IdentityUnavailableError if it fails, or is not due soon."""
        if not self._fetch.is_running:
            wait_seconds = self._budget.wait_seconds(self._monotonic_seconds())
            if self._outage.reason is not None and wait_seconds > 0:
                raise self._unavailable(self._outage.reason)
            if wait_seconds >= self._policy.patience_seconds:
                raise self._unavailable("too many fetches for keys that are not there")
        await self._fetch.join()
        if self._outage.reason is not None:
            raise self._unavailable(self._outage.reason)

    def _unavailable(self, reason: str) -> IdentityUnavailableError:
        return IdentityUnavailableError(
            f"the JWKS cannot be fetched: {reason}", self._budget.wait_seconds(self._monotonic_seconds())
        )

    async def _fetch_when_due(self) -> None:
        """Fetches the keys as soon as the budget allows. It raises nothing: how it ended is noted."""
        await asyncio.sleep(self._budget.wait_seconds(self._monotonic_seconds()))
        self._begun_at = self._monotonic_seconds()
        self._budget.take(self._begun_at)
        self._begun += 1
        number = self._begun
        result: Result = "away"
        started = time.perf_counter()
        try:
            keys = await self._download()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # The reason is not the text of a client error: that holds the URL, which may hold a secret.
            is_answer = isinstance(error, UnusableKeysError)
            result = "failed" if is_answer else "away"
            self._outage.note(str(error) if is_answer else type(error).__name__)
        except Exception as error:  # noqa: BLE001 - logged with its traceback
            # Whatever it was: callers are not to blame, and nobody may take the keys for good.
            _log.error("a fault of this service: the JWKS cannot be read", exc_info=error)
            result = "failed"
            self._outage.note(type(error).__name__)
        else:
            result = "good"
            self._outage.note(None)
            self._keys, self._keys_of = keys, _by_id(keys)
            self._fetched_at, self._fetched = self._begun_at, number
        finally:
            self._metrics.asked("keys", result, time.perf_counter() - started)

    async def _download(self) -> list[PyJWK]:
        """Returns the usable keys of the URL. An answer that is no key set raises, so that the known keys stay."""
        timeout = aiohttp.ClientTimeout(total=self._policy.timeout_seconds)
        async with self._session.get(self._url, timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:
                raise UnusableKeysError(f"status {response.status}")
            body = await read_body(response, self._policy.max_bytes)
        if body is None:
            raise UnusableKeysError("more bytes than a key set has")
        return read_keys(body)


def _by_id(keys: list[PyJWK]) -> dict[str | None, list[PyJWK]]:
    """Returns the keys by id. Of keys with one id and one algorithm the first counts."""
    by_id: dict[str | None, list[PyJWK]] = {}
    for key in keys:
        same_id = by_id.setdefault(key.key_id, [])
        if all(key.algorithm_name != other.algorithm_name for other in same_id):
            same_id.append(key)
    return by_id
