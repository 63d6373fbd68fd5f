"""Authenticates callers by asking a Keystone v3 identity service about each token; remembers its answers for a while.

The API of Keystone: https://docs.openstack.org/api-ref/identity/v3/#validate-and-show-information-for-token
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from service.auth.caller import Caller, IdentityUnavailableError, InvalidTokenError
from service.auth.keystone_client import KeystoneClient
from service.runtime.tasks import SharedTask

MAX_TOKEN_LENGTH = 4096  # proxies mostly take header lines of 8 KiB; tokens of Keystone are far shorter


@dataclass(frozen=True, slots=True)
class KeystonePolicy:
    """Says how long answers hold, how many of each kind are remembered, and how long a request waits for an answer.

    A refusal holds for a shorter time, since Keystone may not know a token yet that it has just given out. A question
    may take longer than a request waits, so that the answer of a slow Keystone is there for the next request.
    """

    cache_seconds: float = 60
    refusal_seconds: float = 2
    patience_seconds: float = 2
    question_seconds: float = 10
    most_questions: int = 1_000
    most_tokens: int = 20_000


class _Known(NamedTuple):
    """Keystone's answer about a token, None for a refusal, and until when the answer holds (monotonic seconds)."""

    caller: Caller | None
    until: float


class KeystoneAuthenticator:
    """An Authenticator that asks Keystone about tokens and remembers the answers.

    It asks once for all requests that wait for the answer about one token. It keeps digests of the tokens. Callers and
    refusals are remembered apart, so that made-up tokens push out no valid one.
    """

    def __init__(
        self,
        client: KeystoneClient,
        admin_roles: frozenset[str],
        policy: KeystonePolicy,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        unix_time_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._count_cached = client.metrics.cached.increase
        self._client = client
        self._admin_roles = admin_roles
        self._policy = policy
        self._monotonic_seconds = monotonic_seconds
        self._unix_time_seconds = unix_time_seconds
        self._callers: dict[bytes, _Known] = {}
        self._refusals: dict[bytes, _Known] = {}
        self._asking: dict[bytes, SharedTask[Caller | None]] = {}
        self._pinging = SharedTask(client.ping)

    async def authenticate(self, token: str) -> Caller:
        """Returns the caller that a token names; waits for Keystone for at most `patience_seconds` of the policy.

        Raises InvalidTokenError or IdentityUnavailableError.
        """
        if not 0 < len(token) <= MAX_TOKEN_LENGTH or not token.isascii() or not token.isprintable():
            raise InvalidTokenError("no token, too long, or not printable ASCII")
        digest = sha256(token.encode()).digest()
        known = self._callers.get(digest) or self._refusals.get(digest)
        if known is not None and self._monotonic_seconds() < known.until:
            caller = known.caller
            self._count_cached()
        else:
            caller = await self._ask(digest, token)
        if caller is None:
            raise InvalidTokenError("Keystone does not know it")
        return caller

    def known(self, token: str) -> Caller | None:
        """See Authenticator.known."""
        known = self._callers.get(sha256(token.encode(errors="surrogateescape")).digest())
        if known is None or self._monotonic_seconds() >= known.until:
            return None
        return known.caller

    def note_known(self) -> None:
        """See Authenticator.note_known."""
        self._count_cached()

    def knows(self, token: str) -> bool:
        """Returns whether Keystone has told of a caller with this token, and its answer still holds."""
        return self.known(token) is not None

    async def ping(self) -> None:
        """Raises IdentityUnavailableError unless Keystone checks tokens for this service now."""
        async with _patience(self._policy.patience_seconds):
            await self._pinging.join()

    async def _ask(self, digest: bytes, token: str) -> Caller | None:
        """Awaits Keystone's answer. Requests with one token share a question; it goes on when they are cancelled."""
        asking = self._asking.get(digest)
        if asking is None:
            if len(self._asking) >= self._policy.most_questions:
                raise IdentityUnavailableError("too many tokens wait for Keystone")
            asking = self._asking[digest] = SharedTask(partial(self._look_up, digest, token))
        async with _patience(self._policy.patience_seconds):
            return await asking.join()

    async def _look_up(self, digest: bytes, token: str) -> Caller | None:
        asked_at = self._monotonic_seconds()
        try:
            async with asyncio.timeout(self._policy.question_seconds):
                described = await self._client.validate(token)
        finally:
            del self._asking[digest]
        self._callers.pop(digest, None)
        self._refusals.pop(digest, None)
        expires_at_seconds = described.expires_at.timestamp() if described is not None else 0.0
        left_seconds = expires_at_seconds - self._unix_time_seconds()
        if described is None or left_seconds <= 0:
            seconds = min(self._policy.refusal_seconds, self._policy.cache_seconds)
            self._remember(self._refusals, digest, _Known(None, asked_at + seconds))
            return None
        project = described.project
        is_administrator = not self._admin_roles.isdisjoint(described.role_names)
        project_id = project.id if project else None
        user = described.user
        caller = Caller(project_id, user.id, is_administrator, user.name, expires_at_seconds)
        seconds = min(left_seconds, self._policy.cache_seconds)
        self._remember(self._callers, digest, _Known(caller, asked_at + seconds))
        return caller

    def _remember(self, where: dict[bytes, _Known], digest: bytes, known: _Known) -> None:
        while len(where) >= self._policy.most_tokens:
            del where[next(iter(where))]
        where[digest] = known

    async def close(self) -> None:
        """Cancels the questions under way and closes the client."""
        await asyncio.gather(self._pinging.close(), *[asking.close() for asking in self._asking.values()])
        await self._client.close()


@asynccontextmanager
async def _patience(seconds: float) -> AsyncIterator[None]:
    """Bounds a wait for Keystone: raises IdentityUnavailableError if its block takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise IdentityUnavailableError(f"Keystone does not answer within {seconds:g} s") from None
