"""Watches while the history is published and counted, and checks the API's answers by the generator's recount."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.process import POLL_SECONDS, Child

CATCH_UP_SECONDS = 60.0
STATE_COUNTS = tuple(
    f"total_{state}_num" for state in ("launching", "running", "failed", "finished", "canceling", "cancelled")
)

Totals = Mapping[str, int]


@dataclass(frozen=True)
class Loading:
    """Holds how far the history is: events published, of how many, and jobs published and counted."""

    events: int
    of: int
    jobs: int
    counted: int


@dataclass(frozen=True)
class HistoryWatch:
    """Follows the load of the history; `tokens` has an administrator's token for each project."""

    api: Child
    api_port: int
    consumer: Child
    progress_path: Path
    tokens: Mapping[str, str]

    def follow(self, check_children: Callable[[], None], show: Callable[[Loading], None]) -> None:
        """Waits until every project's answer is what it must be.

        Raises ChildFailedError if a child ends or the API fails, or if an answer still differs
        CATCH_UP_SECONDS after the last event was published.
        """
        deadline: float | None = None
        while True:
            check_children()
            progress = self._last_progress()
            answers = {project_id: self._ask(project_id) for project_id in self.tokens}
            counted = sum(map(_jobs, answers.values()))
            if progress is not None:
                show(Loading(progress["events"], progress["of"], progress["jobs"], counted))
            if progress is not None and progress["phase"] == "complete":
                wrong = differences(progress["totals"], answers)
                if not wrong:
                    return
                deadline = deadline or time.monotonic() + CATCH_UP_SECONDS
                if time.monotonic() > deadline:
                    raise self.consumer.failure(f"has not counted the history right: {'; '.join(wrong)}")
            time.sleep(POLL_SECONDS)

    def _last_progress(self) -> Any:
        whole_lines = self.progress_path.read_bytes().rpartition(b"\n")[0]
        return json.loads(whole_lines.rpartition(b"\n")[2]) if whole_lines else None

    def _ask(self, project_id: str) -> Totals:
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=5)
        path = f"/v2.0/{project_id}/gene/statistics"
        try:
            connection.request("GET", path, headers={"X-Auth-Token": self.tokens[project_id]})
            response = connection.getresponse()
            body = json.loads(response.read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            self.api.check()
            raise self.api.failure(f"does not answer {path}: {error}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise self.api.failure(f"answers {response.status} to {path}: {body}")
        return {name: value for name, value in body.items() if name.startswith("total_")}


def differences(expected: Mapping[str, Totals], answers: Mapping[str, Totals]) -> list[str]:
    """Returns a text for each number in which an answer differs from the expected one; none if all are right."""
    return [
        f"project {project_id}: {name} is {answers[project_id][name]}, expected {value}"
        for project_id, totals in expected.items()
        for name, value in totals.items()
        if answers[project_id][name] != value
    ]


def _jobs(totals: Totals) -> int:
    return sum(totals[name] for name in STATE_COUNTS)
