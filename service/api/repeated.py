"""Answers questions that were asked before, past the library's task, router and handlers, which cost more than that.

It takes the usual request for statistics whose answer is remembered. All other requests go the usual way, and so does
one whose answer holds no more: `get_statistics` answers it. Both ways give the same bytes.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage

from service.api.access import AUTHENTICATOR, LIMITER, STORE, TOKEN, TURNS
from service.api.csv_answers import wants_csv
from service.api.parameters import plain_interval
from service.api.resources.statistics import HEADERS, PATH, note_freshness, path_of_statistics
from service.http.correlation import take_over
from service.http.metrics import METRICS
from service.http.middleware import Outermost
from service.http.representations import as_it_is
from service.http.responses import finish
from service.http.whole import Whole
from service.store.contract import Answer

Tell = Callable[[Whole | None], None]


class _Asked(NamedTuple):
    message: RawRequestMessage
    start_ms: int
    turn: tuple[str, str]
    began_seconds: float
    tell: Tell


class Repeated:
    """The shortcut of a connection; see `service.http.aiohttp_private.Shortcut`. The server calls `begin`."""

    def __init__(self, app: web.Application, outermost: Outermost, prefix: str) -> None:
        self._store = app[STORE]
        self._authenticator = app[AUTHENTICATOR]
        self._limiter = app[LIMITER]
        self._turns = app[TURNS]
        self._metrics = app[METRICS]
        self._outermost = outermost
        self._match = path_of_statistics(prefix).fullmatch

    def begin(self, message: RawRequestMessage, tell: Tell) -> bool:
        """Tells whether the answer to a request may be given again; then calls `tell` once, later."""
        began_seconds = time.perf_counter()
        path, _, query = message.path.partition("?")
        match, interval = self._match(path), plain_interval(query)
        if match is None or interval is None or not self._outermost.is_usual(message):
            return False
        tokens = message.headers.getall(TOKEN, ())
        caller = self._authenticator.known(tokens[0]) if len(tokens) == 1 else None
        project_id: str = match[1]
        if caller is None or caller.project_id != project_id or wants_csv(message):
            return False
        start_ms, end_ms = interval
        user_id = None if caller.is_administrator else caller.user_id
        turn = (project_id, caller.user_id)
        asked = _Asked(message, start_ms or 0, turn, began_seconds, tell)
        if not self._turns.enter(turn):
            return False
        if self._store.answer_again(project_id, start_ms, end_ms, user_id, partial(self._answered, asked)):
            return True
        self._turns.give_back(turn)
        return False

    def _answered(self, asked: _Asked, found: Answer | Exception | None) -> None:
        body_bytes = len(found.body) if isinstance(found, Answer) else None
        self._turns.end(asked.turn, body_bytes, found if isinstance(found, Exception) else None)
        if found is None or self._limiter.take(asked.turn) > 0:
            asked.tell(None)
            return
        self._authenticator.note_known()
        try:
            response = self._response(asked, found)
        except Exception as error:  # noqa: BLE001 - a fault of ours is answered, as that of a handler is
            response = self._response(asked, error)
        asked.tell(response)

    def _response(self, asked: _Asked, found: Answer | Exception) -> Whole:
        message, request_id = asked.message, take_over(asked.message)
        if isinstance(found, Answer):
            response = as_it_is(message, found.body, found.digest, HEADERS)
            note_freshness(response, found, asked.start_ms)
        else:
            response = Whole.of(self._outermost.failed(found, message, PATH))
        finish(response, request_id)
        self._outermost.admit(message, response)
        seconds = time.perf_counter() - asked.began_seconds
        self._metrics.answered(PATH, hdrs.METH_GET, response.status, seconds)
        return response
