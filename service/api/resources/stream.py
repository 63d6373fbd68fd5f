"""The handler of a project's live stream: its statistics now, and again whenever they change."""

from aiohttp import hdrs, web
from multidict import CIMultiDict

from service.api.access import TOKEN, TURNS, admit
from service.api.live.hub import Hub
from service.api.live.topic import Question
from service.api.parameters import parse_interval_alone
from service.api.resources import statistics
from service.http.streamed import Streamed

PATH = f"{statistics.PATH}/stream"
ROUTE = f"{statistics.ROUTE}/stream"
HUB = web.AppKey("hub", Hub)
_HEADERS = CIMultiDict(
    {
        hdrs.CONTENT_TYPE: "text/event-stream",
        hdrs.CACHE_CONTROL: "no-store, no-transform",
        hdrs.VARY: TOKEN,
        "X-Accel-Buffering": "no",  # nginx would hold events back until a buffer is full
    }
)


async def get_stream(request: web.Request) -> web.StreamResponse:
    """Answers with events: the statistics of the path's project in the query's interval, as `get_statistics` has them.

    The first event is ready when it returns, so what fails before that is an error as any other. Raises what `admit`,
    `parse_interval_alone` and `Hub.open` raise.
    """
    caller = await admit(request)
    start_ms, end_ms = parse_interval_alone(request.rel_url)
    question = Question(start_ms, end_ms, None if caller.is_administrator else caller.user_id)
    async with request.app[TURNS].of((caller.project_id, caller.user_id)) as turn:
        stream = await request.app[HUB].open(
            caller, request.headers[TOKEN], question, request.headers.get("Last-Event-ID")
        )
        turn.answer_bytes = len(stream.state.answer.body)
    response = Streamed(request, stream, _HEADERS)
    statistics.note_freshness(response, stream.state.answer, start_ms or 0)
    return response
