"""Asks Keystone about tokens. It authenticates with a token of this service, which it renews before that expires."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import aiohttp
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from service.auth.caller import IdentityUnavailableError

_log = logging.getLogger(__name__)
_MAX_ANSWER_BYTES = 1_048_576  # a token with a thousand roles, and no catalogue
_RENEWED_AT = 0.75  # of the life of this service's own token
_COOL_DOWN_SECONDS = 1.0
_REFUSED_COOL_DOWN_SECONDS = 10.0  # Keystone may lock a user whose password is wrong too often

Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class CredentialsRefusedError(IdentityUnavailableError):
    """Keystone does not accept the name and password of this service."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The name, password and project of this service at Keystone; user and project are of the same domain."""

    username: str
    password: str = field(repr=False)
    project: str
    domain: str

    def request(self) -> dict[str, Any]:
        """Returns the body that asks for a token of the project."""
        domain = {"name": self.domain}
        user = {"name": self.username, "password": self.password, "domain": domain}
        scope = {"project": {"name": self.project, "domain": domain}}
        return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}


class _Named(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: Text


class _Identified(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: Text


class Described(BaseModel):
    """Keystone's description of a valid token. A token without a project is of a domain, the system, or unscoped."""

    model_config = ConfigDict(frozen=True)

    expires_at: AwareDatetime
    user: _Identified
    project: _Identified | None = None
    roles: tuple[_Named, ...] = ()

    @property
    def role_names(self) -> frozenset[str]:
        """Returns the names of the token's roles."""
        return frozenset(role.name for role in self.roles)


class _Answer(BaseModel):
    token: Described


@dataclass(frozen=True, slots=True)
class _OurToken:
    """A token of this service, when to renew it, and when it expires (monotonic seconds)."""

    text: str = field(repr=False)
    renew_at: float
    until: float


class KeystoneClient:
    """Asks one Keystone through a session, which its maker closes; logs when Keystone goes away and comes back."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        session: aiohttp.ClientSession,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        unix_time_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._tokens_url = url.rstrip("/").removesuffix("/v3") + "/v3/auth/tokens"
        self._credentials = credentials
        self._session = session
        self._monotonic_seconds = monotonic_seconds
        self._unix_time_seconds = unix_time_seconds
        self._ours: _OurToken | None = None
        self._renewing: asyncio.Task[_OurToken] | None = None
        self._failure: IdentityUnavailableError | None = None
        self._failed_until = float("-inf")
        self._trouble: str | None = None

    async def validate(self, token: str) -> Described | None:
        """Returns Keystone's description of a token, or None if Keystone does not know the token.

        Keystone does not know a token that is expired, revoked, or of a disabled user or project. Raises
        IdentityUnavailableError.
        """
        try:
            described = await self._validate(token)
        except IdentityUnavailableError as error:
            self._note(str(error))
            raise
        self._note(None)
        return described

    async def ping(self) -> None:
        """Asks Keystone about this service's own token; raises IdentityUnavailableError unless that is valid."""
        ours = await self._our_token()
        if await self.validate(ours.text) is None:
            self._drop(ours)
            raise IdentityUnavailableError("Keystone does not know our token any more")

    async def close(self) -> None:
        """Cancels the renewal that is under way, if any, and awaits its end."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _validate(self, token: str) -> Described | None:
        for _ in range(2):
            ours = await self._our_token()
            status, body, _ = await self._request(
                "GET", params={"nocatalog": ""}, headers={"X-Auth-Token": ours.text, "X-Subject-Token": token}
            )
            if status == 200:
                return _parse(body)
            if status == 404 and b'"error"' in body:  # Keystone's own error, and not that of a proxy before it
                return None
            if status != 401:
                what = "forbids us to validate tokens" if status == 403 else f"answers with status {status}"
                raise IdentityUnavailableError(f"Keystone {what}")
            self._drop(ours)
        raise IdentityUnavailableError("Keystone refuses tokens that it has just given us")

    async def _our_token(self) -> _OurToken:
        """Returns a token of this service that has not expired. Awaits a renewal only if there is none.

        A token that will expire soon is renewed by a task of its own, while requests go on to use it.
        """
        now, ours = self._monotonic_seconds(), self._ours
        if ours is None or now >= ours.until:
            return await asyncio.shield(self._renewal())
        if now >= ours.renew_at and now >= self._failed_until:
            self._renewal()
        return ours

    def _renewal(self) -> "asyncio.Task[_OurToken]":
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())
            self._renewing.add_done_callback(_look_at)
        return self._renewing

    async def _renew(self) -> _OurToken:
        if self._failure is not None and self._monotonic_seconds() < self._failed_until:
            raise type(self._failure)(str(self._failure))
        try:
            ours = await self._obtain()
        except IdentityUnavailableError as error:
            refused = isinstance(error, CredentialsRefusedError)
            cool_down_seconds = _REFUSED_COOL_DOWN_SECONDS if refused else _COOL_DOWN_SECONDS
            self._failure, self._failed_until = error, self._monotonic_seconds() + cool_down_seconds
            self._note(str(error))
            raise
        self._ours, self._failure = ours, None
        return ours

    async def _obtain(self) -> _OurToken:
        asked_at = self._monotonic_seconds()
        status, body, headers = await self._request("POST", json=self._credentials.request())
        if status in {400, 401, 403}:
            raise CredentialsRefusedError(
                "Keystone refuses STATS_KEYSTONE_USERNAME, _PASSWORD, _PROJECT and _DOMAIN of this service"
            )
        text = headers.get("X-Subject-Token", "")
        if status != 201 or not text:
            raise IdentityUnavailableError(f"Keystone gives us no token: status {status}")
        life_seconds = _parse(body).expires_at.timestamp() - self._unix_time_seconds()
        return _OurToken(text, asked_at + _RENEWED_AT * life_seconds, asked_at + life_seconds)

    async def _request(self, method: str, **options: Any) -> tuple[int, bytes, Any]:
        try:
            async with self._session.request(method, self._tokens_url, allow_redirects=False, **options) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > _MAX_ANSWER_BYTES:
                        raise IdentityUnavailableError("Keystone answers with more bytes than a token has")
                return response.status, bytes(body), response.headers
        except (aiohttp.ClientError, TimeoutError) as error:
            # the error's text is left out: it may hold the URL
            raise IdentityUnavailableError(f"Keystone cannot be asked: {type(error).__name__}") from error

    def _drop(self, ours: _OurToken) -> None:
        if self._ours is ours:
            self._ours = None

    def _note(self, trouble: str | None) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            _log.info("Keystone answers again")
        else:
            _log.error("tokens cannot be checked", extra={"reason": trouble})


def _look_at(task: "asyncio.Task[_OurToken]") -> None:
    if not task.cancelled():
        task.exception()  # else asyncio would log that nobody retrieved the exception


def _parse(body: bytes) -> Described:
    try:
        return _Answer.model_validate_json(body).token
    except ValidationError as error:
        wrong = sorted({".".join(map(str, problem["loc"][:2])) for problem in error.errors(include_input=False)})
        raise IdentityUnavailableError(f"Keystone's answer describes no token: {wrong[:5]}") from None
