"""Keeps the caller's token, and asks for another when the API refuses it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from gene_statistics.errors import InvalidTokenError

TokenSource = str | Callable[[], str | Awaitable[str]]
"""A token, or a function that returns one whenever it is called, or awaits one. It should not block."""

_is_token = re.compile(r"[!-~]+").fullmatch


class Tokens:
    """Keeps the last token of a source. All that need another one meanwhile share one call of the source.

    Raises InvalidTokenError for what can be no token, as soon as it is known.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._token = None if callable(source) else _checked(source)
        self._asking = asyncio.Lock()

    async def get(self) -> str:
        """Returns the token. Raises what the source raises."""
        return self._token or await self._ask(None)

    async def instead_of(self, refused: str) -> str | None:
        """Returns another token than one that was refused, or None if the source has no other."""
        token = await self._ask(refused)
        return None if token == refused else token

    async def _ask(self, known: str | None) -> str:
        async with self._asking:
            if self._token is None or (self._token == known and callable(self._source)):
                given = self._source() if callable(self._source) else self._source
                self._token = _checked(await given if isawaitable(given) else given)
            return self._token


def _checked(token: object) -> str:
    """Returns a token that a header can hold, without the white space around it that a file may have."""
    if isinstance(token, str) and _is_token(stripped := token.strip()):
        return stripped
    raise InvalidTokenError("token: a str of visible ASCII characters, or a function that returns one")
