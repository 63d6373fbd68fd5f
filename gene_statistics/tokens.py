"""Keeps the caller's token, and asks for another when the API refuses it."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

TokenSource = str | Callable[[], str | Awaitable[str]]
"""A token, or a function that returns one whenever it is called, or awaits one. It should not block."""


class Tokens:
    """Keeps the last token of a source. All that need another one meanwhile share one call of the source."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._token: str | None = source if isinstance(source, str) else None
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
            if self._token is None or (self._token == known and not isinstance(self._source, str)):
                given = self._source() if callable(self._source) else self._source
                self._token = await given if isawaitable(given) else given
            return self._token
