"""Asks the API all the while, and checks each answer by itself: half of a batch, an old answer with a new as-of, a
number that falls back show up at once, whatever the consumers are doing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any

import aiohttp

from service.events.event import JobStatus
from tests.chaos.load import GROWING, JOB_BYTES, MOVING, MOVING_SPAN_MS, Known, growing_start_ms
from tests.chaos.says import Says
from tests.end_to_end.asking import Question
from tests.end_to_end.publisher import now_ms
from tests.end_to_end.traffic import NOON_MS, PROJECTS

Ask = Callable[[Question], Awaitable[tuple[int, Mapping[str, str], dict[str, Any]]]]
"""Returns status, headers and body of what the API says to a question."""

_PAUSE_SECONDS = 0.01
_COUNTS = ("launching_num", "running_num", "failed_num", "finished_num", "canceling_num", "cancelled_num")


def total_jobs(body: dict[str, Any]) -> int:
    """How many jobs an answer counts."""
    return sum(int(body[f"total_{name}"]) for name in _COUNTS)


Check = Callable[[Says, dict[str, Any]], None]


class Reader:
    """Asks one question after another; `answers` and `refusals` say how often the API answered, or could not.

    A service that `forgets` jobs has a horizon.
    """

    def __init__(
        self, ask: Ask, known: Known, rnd: Random, pause_seconds: float = _PAUSE_SECONDS, forgets: bool = False
    ) -> None:
        self._get = ask
        self._pause_seconds = pause_seconds
        self._known = known
        self._forgets = forgets
        self._rnd = rnd
        self._as_of_ms: dict[str, int] = {}
        self._grown = 0, 0  # horizon, jobs
        self._goings_back = 0
        self.answers = 0
        self.refusals = 0

    @contextmanager
    def store_goes_back(self) -> Iterator[None]:
        """While the block runs the store loses what it knew last: answers may be older than those before."""
        self._goings_back += 1
        try:
            yield
        finally:
            self._goings_back += 1
            self._as_of_ms, self._grown = {}, (0, 0)

    def _was_whole_since(self, goings_back: int) -> bool:
        """Whether the store has lost nothing since it had gone back so often."""
        return goings_back == self._goings_back and goings_back % 2 == 0

    async def run(self) -> None:
        """Asks until it is cancelled. Raises AssertionError for an answer that cannot be right."""
        asks = (self.ask_growing, self._ask_grown_before, self._ask_moving, self._ask_any)
        while True:
            for ask in asks:
                try:
                    await ask()
                except (aiohttp.ClientConnectionError, aiohttp.ServerTimeoutError):
                    self.refusals += 1  # the API itself is away
                await asyncio.sleep(self._pause_seconds)

    async def _ask(self, question: Question, check: Check) -> None:
        """Checks what every answer to this question must be, then `check`; 503 as the contract has it is no answer."""
        project_id, goings_back = question[0], self._goings_back
        before_ms = self._as_of_ms.get(project_id, 0)  # another question may be answered meanwhile, out of turn
        status, headers, body = await self._get(question)
        if status == 503:
            assert body["error_code"] == "DLI.0012", body
            assert int(headers["Retry-After"]) > 0
            self.refusals += 1
            return
        assert status == 200, (question, status, body)
        self.answers += 1
        as_of_ms = int(headers["X-Statistics-As-Of"])
        assert as_of_ms <= now_ms(), f"{question}: as of an instant that has not come"
        _check_sums(body)
        check(Says.of(headers, question[1], self._forgets), body)
        if self._was_whole_since(goings_back):
            assert as_of_ms >= before_ms, f"{question}: as-of went back by {before_ms - as_of_ms} ms"
            self._as_of_ms[project_id] = max(as_of_ms, self._as_of_ms.get(project_id, 0))

    async def ask_growing(self) -> None:
        """Jobs that come one after the other: as many as as-of demands, and not one that there never was."""

        def check(says: Says, body: dict[str, Any]) -> None:
            count = total_jobs(body)
            self._check_grown(says, self._known.growing.sent, count)
            assert body["total_input_size"] == count * JOB_BYTES, body
            if self._was_whole_since(goings_back):
                assert says.horizon_ms >= horizon_ms, (horizon_ms, before, says, body)
                assert count >= before or says.horizon_ms > horizon_ms, (horizon_ms, before, says, body)
                self._grown = max(self._grown, (says.horizon_ms, count))

        goings_back, (horizon_ms, before) = self._goings_back, self._grown
        await self._ask((GROWING, None, None, None), check)

    async def _ask_grown_before(self) -> None:
        """The first so many jobs: neither more, nor less once they are older than as-of."""

        number = self._rnd.randrange(self._known.growing.sent + 1)
        question = (GROWING, None, growing_start_ms(number), None)
        await self._ask(question, lambda says, body: self._check_grown(says, number, total_jobs(body)))

    def _check_grown(self, says: Says, number: int, count: int) -> None:
        """Of the first so many jobs those must be there that are older than as-of, and not before the horizon."""
        growing, hidden = self._known.growing, min(says.hidden, number)
        least = growing.least(says.as_of_ms, number) - growing.least(says.as_of_ms, hidden)
        assert least <= count <= number - hidden, (says, least, number, hidden, count)

    async def _ask_moving(self) -> None:
        """Jobs that move are each in one place: where the newest event before as-of has put it, or a later one."""

        def check(says: Says, body: dict[str, Any]) -> None:
            bounds = self._known.moving.bounds(says.as_of_ms, start_ms, end_ms, says.horizon_ms)
            count = total_jobs(body)
            assert bounds.least() <= count <= bounds.most(), (says, question, bounds.least(), bounds.most(), body)
            assert body["total_input_size"] == count * JOB_BYTES, body
            for user in body["users"]:
                for status in JobStatus:
                    place, jobs = (user["user_name"], status), user[f"{status.name.lower()}_num"]
                    assert bounds.allow(place, jobs), (says, question, place, bounds, body)
            listed = {user["user_name"] for user in body["users"]}
            missing = [place for place in bounds.sure if place and place[0] not in listed]
            assert missing == [], (says, question, body)

        somewhere = NOON_MS + self._rnd.randrange(MOVING_SPAN_MS)
        start_ms = self._rnd.choice((None, 0, NOON_MS, NOON_MS - self._rnd.randrange(10**9), somewhere))
        beyond = NOON_MS + MOVING_SPAN_MS + self._rnd.randrange(10**9)
        end_ms = self._rnd.choice((None, beyond, somewhere + self._rnd.randrange(10**10)))
        question = (MOVING, start_ms, end_ms, None)
        await self._ask(question, check)

    async def _ask_any(self) -> None:
        start_ms = NOON_MS + self._rnd.randrange(MOVING_SPAN_MS)
        question = self._rnd.choice((*PROJECTS, MOVING)), start_ms, start_ms + self._rnd.randrange(10**10), None
        await self._ask(question, lambda _says, _body: None)


def _check_sums(body: dict[str, Any]) -> None:
    """The totals are the sums of the users, who are sorted by name."""
    users = body["users"]
    assert body["total_user_num"] == len(users), body
    for name in (*_COUNTS, "input_size"):
        assert body[f"total_{name}"] == sum(user[name] for user in users), (name, body)
    names = [user["user_name"] for user in users]
    assert names == sorted(names), names
