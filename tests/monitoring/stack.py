"""A running stack of its own: Redis, a topic, a consumer and the API, with the project of docs/operating.md."""

import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaProducer

from deploy.local.servers import create_topics, free_port, start_redis
from deploy.local.tokens import sign_token
from deploy.local.waiting import eventually
from service.events.event import JobEvent, JobStatus
from tests.servers import Processes, redis_program
from tests.store.support import job_uuid
from tests.wire import required_fields

PROJECT_ID = "acme"
JOB_ID = "de58cbb4-c5fc-9b1d-bd36-52b1c6c0dbd4"
_PARTITIONS = 4
_JOBS = 300
_START_MS = 1_532_626_670_471
_WEEKS_MS = 13 * 86_400_000  # more than a leaf of the tree
_NO_EVENTS = (b"{", b"nothing", b"[")
_SECRET = "a secret of tests that is long enough"


@dataclass(frozen=True, slots=True)
class Stack:
    """Where the stack is, for those who operate it."""

    environment: dict[str, str]  # the settings of consumers and commands
    api_port: int
    metrics_port: int
    http: aiohttp.ClientSession

    async def ask(self, user_id: str, query: str = "", token: str | None = None) -> tuple[int, bytes]:
        """Status and body of the answer to a question about the project, by an administrator of this id."""
        headers = {"X-Auth-Token": _token(user_id) if token is None else token}
        url = f"http://127.0.0.1:{self.api_port}/v2.0/{PROJECT_ID}/gene/statistics{query}"
        async with self.http.get(url, headers=headers) as response:
            return response.status, await response.read()

    async def _is_counted(self) -> bool:
        status, body = await self.ask("boss")
        return status == 200 and json.loads(body)["total_running_num"] == _JOBS


@asynccontextmanager
async def run_stack(bootstrap: str, folder: Path) -> AsyncIterator[Stack]:
    """Starts everything, and yields once all jobs are counted; what is no event has become a dead letter by then."""
    topic, redis_port, api_port, metrics_port = f"events-{uuid.uuid4().hex}", free_port(), free_port(), free_port()
    environment = {
        "STATS_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "STATS_KAFKA_TOPIC": topic,
        "STATS_KAFKA_DEAD_LETTER_TOPIC": f"{topic}.dead-letters",
        "STATS_KAFKA_GROUP_ID": topic,
        "STATS_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "STATS_METRICS_PORT": str(metrics_port),
    }
    of_api = {**environment, "STATS_HTTP_PORT": str(api_port), "STATS_JWT_SECRET": _SECRET, "STATS_RATE_LIMIT": "2"}
    async with AsyncExitStack() as stack:
        await create_topics(bootstrap, {topic: _PARTITIONS, f"{topic}.dead-letters": 1})
        await _publish(bootstrap, topic)
        limit = ("--maxmemory", "256mb")
        redis = start_redis(redis_program(), redis_port, folder / "redis", folder / "redis.log", limit)
        stack.callback(redis.stop)
        processes = Processes(folder)
        stack.callback(processes.stop_all)
        await processes.start_ready("consumers", environment, metrics_port)
        await processes.start_ready("service", of_api, api_port)
        running = Stack(environment, api_port, metrics_port, await stack.enter_async_context(aiohttp.ClientSession()))
        await eventually(running._is_counted, "all jobs are counted")
        yield running


async def _publish(bootstrap: str, topic: str) -> None:
    """Some records that are no events, then the jobs, each to the partition of its key."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for value in _NO_EVENTS:
            await producer.send_and_wait(topic, value, key=f"{PROJECT_ID}/{JOB_ID}".encode())
        for number in range(_JOBS):
            event = _event(number)
            fields = {**required_fields(event, f"event-{number}"), "sequence": event.sequence}
            await producer.send(topic, json.dumps(fields).encode(), key=f"{event.project_id}/{event.job_id}".encode())


def _event(number: int) -> JobEvent:
    return JobEvent(
        project_id=PROJECT_ID,
        job_id=job_uuid(number) if number else JOB_ID,
        user_id="u-17",
        user_name="chen.wei",
        status=JobStatus.RUNNING,
        event_time_ms=_START_MS + 531,
        start_time_ms=_START_MS + (number % 3 - 1) * _WEEKS_MS if number else _START_MS,
        input_size_bytes=729_092_919,
        sequence=2,
    )


def _token(user_id: str) -> str:
    now_seconds = int(time.time())
    return sign_token(
        _SECRET, user_id=user_id, name="boss", project_id=PROJECT_ID, role="te_admin", now_seconds=now_seconds
    )
