"""One client of the API with one connection, as an administrator of whatever project it asks for."""

import http.client
import json
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from bench.recount import Bounds
from bench.servers import SECRET
from deploy.local.process import ChildFailedError
from deploy.local.tokens import sign_token

_TIMEOUT_SECONDS = 10


class ApiClient:
    """Asks for statistics, one question at a time."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._connection.close()

    def ask(self, project_id: str, bounds: Bounds = (None, None)) -> tuple[Any, float]:
        """The answer's body, and the seconds from sending the request to having it read."""
        body, seconds = self.get(project_id, path_of(project_id, bounds))
        return json.loads(body), seconds

    def get(self, project_id: str, path: str) -> tuple[bytes, float]:
        """The same for a path of the project, as it comes."""
        headers = {"X-Auth-Token": self._token(project_id)}
        started = time.perf_counter()
        self._connection.request("GET", path, headers=headers)
        response = self._connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - started
        if response.status != http.HTTPStatus.OK:
            raise ChildFailedError(f"the API answers {response.status}: {body.decode(errors='replace')}")
        return body, seconds

    def _token(self, project_id: str) -> str:
        if project_id not in self._tokens:
            self._tokens[project_id] = administrator_token(project_id)
        return self._tokens[project_id]


def path_of(project_id: str, bounds: Bounds) -> str:
    """The path and query of a question."""
    query = urlencode({name: ms for name, ms in zip(("start", "end"), bounds, strict=True) if ms is not None})
    return f"/v2.0/{project_id}/gene/statistics?{query}"


def administrator_token(project_id: str, user_id: str = "administrator") -> str:
    """A token of an administrator of this project."""
    return sign_token(
        SECRET,
        user_id=user_id,
        name=user_id,
        project_id=project_id,
        role="te_admin",
        now_seconds=int(time.time()),
    )
