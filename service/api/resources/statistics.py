"""The handler of the one resource of a project: the statistics of its gene jobs."""

from aiohttp import web

from service.api.access import PROJECT_IN_ROUTE, STORE, admit
from service.api.parameters import parse_interval
from service.http.responses import json_response

PATH = "/v2.0/{project_id}/gene/statistics"
ROUTE = PATH.replace("{project_id}", PROJECT_IN_ROUTE)
AS_OF = "X-Statistics-As-Of"
HORIZON = "X-Statistics-Horizon"
GAPS = "X-Statistics-Gaps"


async def get_statistics(request: web.Request) -> web.Response:
    """Answers the statistics of the path's project in the query's interval.

    An administrator gets those of all users, every other caller its own. Raises what `admit`, `parse_interval` and
    `StatisticsStore.read` raise; the middleware makes answers of these errors.
    """
    caller = await admit(request)
    start_ms, end_ms = parse_interval(request.query)
    user_id = None if caller.is_administrator else caller.user_id
    answer = await request.app[STORE].read(request.match_info["project_id"], start_ms, end_ms, user_id)
    response = json_response(answer.body)
    response.headers[AS_OF] = str(answer.as_of_ms)
    if answer.horizon_ms > (start_ms or 0):
        response.headers[HORIZON] = str(answer.horizon_ms)
    if answer.gaps:
        response.headers[GAPS] = str(answer.gaps)
    return response
