"""The running service: its processes, and questions to it over HTTP."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.process import Child, is_ready, wait_until
from deploy.local.servers import free_port
from deploy.local.tokens import sign_token
from deploy.local.waiting import eventually
from tests.servers import Processes

SECRET = "a secret of tests that is long enough"
Question = tuple[str, int | None, int | None, str | None]  # project, start, end, sub-user
_QUESTIONS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RunningConsumer:
    """A consumer process."""

    child: Child
    metrics_port: int

    def log_lines(self, message: str) -> list[dict[str, Any]]:
        """The lines of its log with this message."""
        lines = [json.loads(line) for line in self.child.log_path.read_text().splitlines()]
        return [line for line in lines if line["message"] == message]


class System:
    """One topic, one Redis, and the processes between them."""

    def __init__(
        self,
        processes: Processes,
        environment: dict[str, str],
        http: aiohttp.ClientSession,
        of_service: Mapping[str, str] | None = None,
    ) -> None:
        """`of_service` are settings that the API has in the place of the consumers'."""
        self._processes = processes
        self._environment = environment
        self._of_service = of_service or {}
        self._http = http
        self.api_port = 0

    async def start_consumer(self, group: str = "group", **changes: str) -> RunningConsumer:
        """A consumer with partitions; see `launch_consumer`."""
        consumer = self.launch_consumer(group, **changes)
        # In a thread: what the process waits for may be served by this loop.
        await asyncio.to_thread(wait_until, consumer.child, lambda: is_ready(consumer.metrics_port), "get ready")
        return consumer

    def launch_consumer(self, group: str = "group", module: str = "consumers", **changes: str) -> RunningConsumer:
        """A consumer that begins; the group's name is of this system alone, `changes` are other settings.

        `module` is what runs in its process.
        """
        port = free_port()
        environment = {
            **self._environment,
            "STATS_METRICS_PORT": str(port),
            "STATS_KAFKA_GROUP_ID": f"{group} of {self._environment['STATS_KAFKA_TOPIC']}",
            **changes,
        }
        return RunningConsumer(self._processes.start(module, environment), port)

    async def start_service(self, **changes: str) -> Child:
        """The API that is asked from now on; `changes` are other settings."""
        self.api_port = port = free_port()
        environment = {
            **self._environment,
            **self._of_service,
            "STATS_HTTP_PORT": str(port),
            "STATS_JWT_SECRET": SECRET,
            "STATS_RATE_LIMIT": "0",
            **changes,
        }
        return await self._processes.start_ready("service", environment, port)

    async def records_read(self, consumer: RunningConsumer) -> int:
        """How many records this process says it has applied."""
        async with self._http.get(f"http://127.0.0.1:{consumer.metrics_port}/metrics") as response:
            families = list(text_string_to_metric_families(await response.text()))
        values = {sample.name: sample.value for family in families for sample in family.samples}
        return int(values["stats_consumer_records_total"])

    async def ask(self, question: Question) -> tuple[int, dict[str, Any]]:
        """As-of (Unix ms) and body of an answer."""
        status, headers, body = await self.get(question)
        assert status == 200, body
        return int(headers["X-Statistics-As-Of"]), body

    async def get(self, question: Question) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        """Status, headers and body of whatever the API says to a question."""
        project_id, start_ms, end_ms, user_id = question
        token = sign_token(
            SECRET,
            user_id=user_id or "administrator",
            name="somebody",
            project_id=project_id,
            role="te_admin" if user_id is None else "te_user",
            now_seconds=int(time.time()),
        )
        bounds = {"start": start_ms, "end": end_ms}
        async with self._http.get(
            f"http://127.0.0.1:{self.api_port}/v2.0/{project_id}/gene/statistics",
            params={name: str(bound) for name, bound in bounds.items() if bound is not None},
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
        body: dict[str, Any] = {}

        async def is_later() -> bool:
            nonlocal body
            status, headers, body = await self.get(question)
            assert status in {200, 503}, body  # 503: something was broken a moment ago
            return status == 200 and int(headers["X-Statistics-As-Of"]) >= instant_ms

        await eventually(is_later, f"an answer to {question} as of {instant_ms}", within_seconds=60)
        return body
