"""Questions to the API over HTTP, and what it says to them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import aiohttp

from deploy.local.tokens import sign_token
from deploy.local.waiting import eventually

SECRET = "a secret of tests that is long enough"
Question = tuple[str, int | None, int | None, str | None]  # project, start, end, sub-user
_QUESTIONS_AT_ONCE = 16
_TOKEN_SECONDS = 60  # that somebody asks with the same token


@lru_cache
def _token(project_id: str, user_id: str | None, number: int) -> str:
    """The token that somebody has in a period, counted from 1970."""
    return sign_token(
        SECRET,
        user_id=user_id or "administrator",
        name="somebody",
        project_id=project_id,
        role="te_admin" if user_id is None else "te_user",
        now_seconds=number * _TOKEN_SECONDS,
    )


class Asking:
    """Asks the API that is at `address` (`host:port`), which may be another one later."""

    def __init__(self, http: aiohttp.ClientSession, address: str = "", poll_seconds: float = 0.05) -> None:
        self._http = http
        self._poll_seconds = poll_seconds
        self.address = address

    async def ask(self, question: Question, since_ms: int = 0) -> tuple[int, dict[str, Any]]:
        """As-of (Unix ms) and body of the first answer that is as of `since_ms` or later.

        503 is no answer, and asked again: a read may take a second, which a busy machine may need for something else.
        """
        as_of_ms = -1
        body: dict[str, Any] = {}

        async def is_later() -> bool:
            nonlocal as_of_ms, body
            status, headers, body = await self.get(question)
            assert status in {200, 503}, body
            as_of_ms = int(headers["X-Statistics-As-Of"]) if status == 200 else -1
            return as_of_ms >= since_ms

        what = f"an answer to {question} as of {since_ms}"
        await eventually(is_later, what, within_seconds=60, poll_seconds=self._poll_seconds)
        return as_of_ms, body

    async def get(
        self, question: Question, resource: str = "statistics", **more: str
    ) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        """Status, headers and body of whatever the API says to a question, or of a resource about it."""
        project_id, start_ms, end_ms, user_id = question
        token = _token(project_id, user_id, int(time.time()) // _TOKEN_SECONDS)
        bounds = {"start": start_ms, "end": end_ms}
        async with self._http.get(
            f"http://{self.address}/v2.0/{project_id}/gene/{resource}",
            params={**more, **{name: str(bound) for name, bound in bounds.items() if bound is not None}},
            headers={"X-Auth-Token": token},
        ) as response:
            return response.status, response.headers, await response.json()

    async def ask_all(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """The bodies of the answers to many questions."""
        gate = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

        async def ask(question: Question) -> dict[str, Any]:
            async with gate:
                return (await self.ask(question))[1]

        return await asyncio.gather(*map(ask, questions))

    async def ask_as_of(self, question: Question, instant_ms: int) -> dict[str, Any]:
        """The first answer that says of itself that whatever was published before this instant is in it."""
        return (await self.ask(question, instant_ms))[1]
