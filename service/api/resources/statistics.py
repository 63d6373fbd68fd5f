"""The handler of a project's statistics, and the headers that all answers about its jobs have."""

import re
from functools import partial

from aiohttp import hdrs, web
from multidict import istr

from service.api.access import PROJECT_ID_PATTERN, PROJECT_IN_ROUTE, STORE, TOKEN, TURNS, admit
from service.api.csv_answers import csv_answer, file_name, wants_csv
from service.api.csv_bodies import statistics_rows
from service.api.parameters import parse_interval_alone
from service.http.representations import represent
from service.http.responses import JSON
from service.store.contract import Answer, Series

PATH = "/v2.0/{project_id}/gene/statistics"
ROUTE = PATH.replace("{project_id}", PROJECT_IN_ROUTE)
AS_OF = "X-Statistics-As-Of"
HORIZON = "X-Statistics-Horizon"
GAPS = "X-Statistics-Gaps"
# A browser may keep an answer for whoever has the same token, and asks each time whether it still holds.
HEADERS = dict(JSON)
HEADERS[hdrs.CACHE_CONTROL] = "private, no-cache"
HEADERS[hdrs.VARY] = f"Accept, Accept-Encoding, {TOKEN}"
_AS_OF_HEADER = istr(AS_OF)


def path_of_statistics(prefix: str) -> re.Pattern[str]:
    """Returns the pattern of paths whose statistics are served, with the prefix and without it; it has the project."""
    id_pattern, (before, after) = PROJECT_ID_PATTERN.strip("^$"), map(re.escape, PATH.split("{project_id}"))
    return re.compile(f"(?:{re.escape(prefix)})?{before}({id_pattern}){after}")


async def get_statistics(request: web.Request) -> web.StreamResponse:
    """Answers the statistics of the path's project in the query's interval.

    An administrator gets those of all users, every other caller its own. Raises what `admit`, `parse_interval_alone`
    and `StatisticsStore.read` raise; the middleware makes answers of these errors.
    """
    caller = await admit(request)
    project_id = request.match_info["project_id"]
    start_ms, end_ms = parse_interval_alone(request.rel_url)
    user_id = None if caller.is_administrator else caller.user_id
    async with request.app[TURNS].of((caller.project_id, caller.user_id)) as turn:
        answer = await request.app[STORE].read(project_id, start_ms, end_ms, user_id)
        turn.answer_bytes = len(answer.body)
        if wants_csv(request):
            own_name = caller.name or ""
            rows = partial(statistics_rows, answer.body, own_name)
            name = file_name("gene-statistics", project_id, start_ms, end_ms)
            response: web.StreamResponse = await csv_answer(request, rows, f"{answer.digest} {own_name}", name, HEADERS)
        else:
            response = await represent(request, answer.body, answer.digest, HEADERS)
    note_freshness(response, answer, start_ms or 0)
    return response


def note_freshness(response: web.StreamResponse, answer: Answer | Series, start_ms: int) -> None:
    """Adds the headers that say how fresh an answer is, and what it may lack; `start_ms` is where it begins."""
    response.headers[_AS_OF_HEADER] = str(answer.as_of_ms)
    if answer.horizon_ms > start_ms:
        response.headers[HORIZON] = str(answer.horizon_ms)
    if answer.gaps:
        response.headers[GAPS] = str(answer.gaps)
