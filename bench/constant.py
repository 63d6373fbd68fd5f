"""`python -m bench.constant PORT BODY_FILE`: the floors of the API, until SIGTERM.

The API's paths answer a ready body, whatever the range. `/built` makes the same body from ready sums, as the API does,
if it is one of statistics.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from aiohttp import web

from bench.jobs import Counts, from_body, user_id, user_name
from bench.servers import environment_for, running_module
from deploy.local.process import Child, is_ready, wait_ready
from deploy.local.servers import free_port
from service.api.resources.statistics import PATH
from service.api.resources.time_series import PATH as TIME_SERIES_PATH
from service.events.event import user_number
from service.http.responses import json_response
from service.store.layout.projects import user_key
from service.store.read.answers import administrator_body
from service.store.read.names import Names
from service.store.read.sums import Sums


def create_app(body: bytes) -> web.Application:
    """An application that answers this body, which is one of the API's."""

    async def answer_constant(_request: web.Request) -> web.Response:
        return json_response(body)

    async def answer_ready(_request: web.Request) -> web.Response:
        return json_response("{}")

    app = web.Application()
    app.router.add_get(PATH, answer_constant)
    app.router.add_get(TIME_SERIES_PATH, answer_constant)
    app.router.add_get("/readyz", answer_ready)
    statistics = json.loads(body)
    if "users" in statistics:
        app.router.add_get("/built", _building(from_body(statistics)))
    return app


def _building(counts: Counts) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that makes a body of these counts."""
    names = Names(b"", {user_key(user_id(user)): _packed(user) for user in counts})
    by_key = [counts[user] for user in sorted(counts, key=lambda user: user_number(user_id(user)))]
    columns = np.array(by_key, np.int64).T.copy()
    sums = Sums(columns[:-1], columns[-1], columns.sum(axis=1).tolist())

    async def answer_built(_request: web.Request) -> web.Response:
        return json_response(administrator_body(sums, names))

    return answer_built


def _packed(user: int) -> bytes:
    identity = user_id(user).encode()
    return bytes([len(identity)]) + identity + user_name(user).encode()


@contextmanager
def running_constant(folder: Path, body: object) -> Iterator[tuple[Child, int]]:
    """The floors in a process of their own, ready, and their port."""
    path = folder / "constant.json"
    path.write_text(json.dumps(body, separators=(",", ":")))
    port = free_port()
    with running_module(folder, "bench.constant", environment_for(), [str(port), str(path)]) as child:
        wait_ready(child, lambda: is_ready(port), "get ready")
        yield child, port


if __name__ == "__main__":
    web.run_app(
        create_app(Path(sys.argv[2]).read_bytes()),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
    )
