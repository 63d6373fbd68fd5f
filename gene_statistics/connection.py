"""Sends one request to the API, and makes an error of whatever is not its answer."""

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from gene_statistics.errors import (
    AlreadyOpenError,
    ApiError,
    ClientClosedError,
    ForbiddenError,
    InvalidAnswerError,
    RateLimitedError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from gene_statistics.retries import parse_retry_after
from gene_statistics.texts import kind_of, shown, without
from gene_statistics.tokens import Tokens, TokenSource

_MOST_ERROR_BYTES = 65_536
_KINDS: dict[int, type[ApiError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


class _ErrorBody(BaseModel):
    error_code: str
    error_msg: str


class Connection:
    """Holds the connections to one service, and the caller's token, which is sent to no other."""

    def __init__(self, base_url: str, token: TokenSource, ssl_context: ssl.SSLContext | bool) -> None:
        self._url = _checked_url(base_url)
        self._tokens = Tokens(token)
        self._ssl = ssl_context
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Makes ready for requests; connects to nothing yet. Raises AlreadyOpenError."""
        if self._session is not None:
            raise AlreadyOpenError("the client is open already: make another one")
        connector = aiohttp.TCPConnector(ssl=self._ssl)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Closes all connections; requests that are under way raise ClientClosedError."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise _closed()
        return self._session

    @asynccontextmanager
    async def get(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yields an answer with status 200; a token that is refused is replaced once, if there is another.

        Raises ApiError for another status, UnreachableError where no answer comes or breaks off within the block,
        ClientClosedError, and what the source of tokens raises.
        """
        self._open_session()
        token = await self._tokens.get()
        try:
            async with self._request(path, query, headers, limits, token) as response:
                yield response
        except UnauthorizedError:
            other = await self._tokens.instead_of(token)
            if other is None:
                raise
        else:
            return
        async with self._request(path, query, headers, limits, other) as response:
            yield response

    @asynccontextmanager
    async def _request(
        self,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        limits: aiohttp.ClientTimeout,
        token: str,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        session = self._open_session()
        try:
            async with session.get(
                self._url.joinpath(*path.split("/")),
                params=query,
                headers={**headers, "X-Auth-Token": token},
                timeout=limits,
                allow_redirects=False,  # the token would go wherever an answer says
            ) as response:
                if response.status != 200:
                    raise await _read_error(response, token)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            if session.closed:
                raise _closed() from None
            may_pass = not isinstance(error, aiohttp.ClientSSLError)
            # an error of aiohttp that is about a response holds the request, and its headers have the token
            cause = None if isinstance(error, aiohttp.ClientResponseError) else error
            raise UnreachableError(f"{self._url.host} gives no whole answer: {kind_of(error)}", may_pass) from cause


def _closed() -> ClientClosedError:
    return ClientClosedError("the client is not open: use it within `async with`")


def _checked_url(base_url: str) -> URL:
    """Returns the URL; raises ValueError, which quotes nothing of it, as it may hold a password."""
    try:
        url = URL(base_url) if isinstance(base_url, str) and not re.search(r"[\s\x00-\x1f\x7f]", base_url) else URL()
    except ValueError:
        url = URL()
    is_plain = not (url.user or url.password or url.query_string or url.fragment or url.port == 0)
    if url.scheme not in ("http", "https") or not url.host or not is_plain:
        raise ValueError("base_url: http:// or https://, a host, and maybe a path; no user, query or fragment")
    return url


async def read_body(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Returns the body of an answer; raises InvalidAnswerError as soon as it is too long, and aiohttp.ClientError."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            raise InvalidAnswerError(f"an answer of more than {most_bytes} bytes")
    return bytes(body)


async def _read_error(response: aiohttp.ClientResponse, token: str) -> ApiError:
    kind = shown(response.content_type, token)
    code, message = None, f"no error of the API, but {kind} of a status that it does not have"
    try:
        body = _ErrorBody.model_validate_json(await read_body(response, _MOST_ERROR_BYTES))
        code, message = without(token, body.error_code), without(token, body.error_msg)
    except (ValidationError, InvalidAnswerError):
        pass
    return _KINDS.get(response.status, ApiError)(
        response.status,
        code,
        message,
        without(token, response.headers.get("X-Request-Id", "")) or None,
        parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC)),
    )
