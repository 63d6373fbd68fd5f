"""Answers plain questions for statistics past the library's task, router and handlers, which cost more than the rest.

It takes the usual request of a caller whose token is known. All others go the usual way: `get_statistics` answers them.
Both ways give the same bytes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage

from service.api.access import AUTHENTICATOR, LIMITER, STORE, TURNS, known_caller
from service.api.csv_answers import wants_csv
from service.api.parameters import plain_interval
from service.api.resources.statistics import HEADERS, PATH, note_freshness, path_of_statistics
from service.http.correlation import take_over
from service.http.metrics import METRICS
from service.http.middleware import Outermost
from service.http.representations import COMPRESSED_FROM_BYTES, GZIP, as_it_is, represent_by
from service.http.responses import finish
from service.http.whole import Whole
from service.store.contract import Answer

Tell = Callable[[Whole], None]


class _Question(NamedTuple):
    project_id: str
    start_ms: int | None
    end_ms: int | None
    user_id: str | None


class _Asked(NamedTuple):
    message: RawRequestMessage
    question: _Question
    turn: tuple[str, str]
    began_seconds: float
    tell: Tell


class Direct:
    """The shortcut of a connection; see `service.http.aiohttp_private.Shortcut`. The connection calls `begin`."""

    def __init__(self, app: web.Application, outermost: Outermost, prefix: str) -> None:
        self._store = app[STORE]
        self._authenticator = app[AUTHENTICATOR]
        self._limiter = app[LIMITER]
        self._turns = app[TURNS]
        self._metrics = app[METRICS]
        self._gzip = app[GZIP]
        self._outermost = outermost
        self._match = path_of_statistics(prefix).fullmatch
        self._working: set[asyncio.Task[None]] = set()

    def begin(self, message: RawRequestMessage, tell: Tell) -> bool:
        """Tells whether a request is answered here; then calls `tell` once, later."""
        began_seconds = time.perf_counter()
        path, _, query = message.path.partition("?")
        match, interval = self._match(path), plain_interval(query)
        if match is None or interval is None or not self._outermost.is_usual(message):
            return False
        caller = known_caller(self._authenticator, message)
        if caller is None or caller.project_id != match[1] or wants_csv(message):
            return False
        question = _Question(match[1], *interval, None if caller.is_administrator else caller.user_id)
        turn = (question.project_id, caller.user_id)
        return self._turns.enter(turn) and self._take(_Asked(message, question, turn, began_seconds, tell))

    def _take(self, asked: _Asked) -> bool:
        """Begins to answer a question that has its turn; tells whether it does.

        The store is not asked for a caller above its limit: the usual way refuses it.
        """
        if self._limiter.take(asked.turn) > 0:
            self._turns.give_back(asked.turn)
            return False
        self._authenticator.note_known()
        reading = self._store.ask(*asked.question, partial(self._hear, asked))
        if reading is not None:
            self._work(asked, reading)
        return True

    def _hear(self, asked: _Asked, found: Answer | Exception | None) -> None:
        """Tells of an answer that needs no task, and else begins one."""
        if found is None:
            self._work(asked, self._store.read(*asked.question))
        elif isinstance(found, Answer) and len(found.body) >= COMPRESSED_FROM_BYTES:
            self._work(asked, _given(found))
        else:
            self._answer(asked, found)

    def _work(self, asked: _Asked, reading: Awaitable[Answer]) -> None:
        working = asyncio.create_task(self._represent(asked, reading))
        self._working.add(working)
        working.add_done_callback(self._working.discard)

    def _answer(self, asked: _Asked, found: Answer | Exception) -> None:
        """Tells of an answer that is never compressed, or of an error."""
        body_bytes = len(found.body) if isinstance(found, Answer) else None
        self._turns.end(asked.turn, body_bytes, found if isinstance(found, Exception) else None)
        request_id = take_over(asked.message)
        try:
            if isinstance(found, Exception):
                raise found  # noqa: TRY301 - it is answered as what this block raises
            response = as_it_is(asked.message, found.body, found.digest, HEADERS)
            note_freshness(response, found, asked.question.start_ms or 0)
        except Exception as error:  # noqa: BLE001 - all are answered, as those of a handler are
            response = Whole.of(self._outermost.failed(error, asked.message, PATH))
        self._tell(asked, request_id, response)

    async def _represent(self, asked: _Asked, reading: Awaitable[Answer]) -> None:
        """Tells of an answer that has to be read, or is large."""
        request_id = take_over(asked.message)
        answer_bytes: int | None = None
        failed: Exception | None = None
        try:
            answer = await reading
            answer_bytes = len(answer.body)
            response = await represent_by(self._gzip, asked.message, answer.body, answer.digest, HEADERS)
            note_freshness(response, answer, asked.question.start_ms or 0)
        except Exception as error:  # noqa: BLE001 - all are answered, as those of a handler are
            failed = error
            response = Whole.of(self._outermost.failed(error, asked.message, PATH))
        finally:
            self._turns.end(asked.turn, answer_bytes, failed)
        self._tell(asked, request_id, response)

    def _tell(self, asked: _Asked, request_id: str, response: Whole) -> None:
        finish(response, request_id)
        self._outermost.admit(asked.message, response)
        seconds = time.perf_counter() - asked.began_seconds
        self._metrics.answered(PATH, hdrs.METH_GET, response.status, seconds)
        asked.tell(response)


async def _given(answer: Answer) -> Answer:
    return answer
