"""Events that are published, and questions that are asked all the time, while pods come and go."""

import asyncio
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from statistics import quantiles

import aiohttp
from aiokafka import AIOKafkaProducer

from deploy.local.tokens import sign_token
from deploy.traffic.__main__ import publish
from deploy.traffic.flow import Traffic
from deploy.traffic.lifecycle import Record
from deploy.traffic.population import PROJECTS
from deploy.traffic.tally import totals_by_project

_TOPIC = "gene-job-events"
_SEED = 13
_EVENTS_A_TICK = 10
_TICK_SECONDS = 0.05
_ASKERS = 4
_PAUSE_SECONDS = 0.02


@dataclass
class Answers:
    """Counts what was asked. Ages and pauses are milliseconds."""

    asked: int = 0
    failures: list[str] = field(default_factory=list)
    longest_answer_ms: float = 0
    longest_pause_ms: float = 0
    ages_ms: list[int] = field(default_factory=list)
    last: float = field(default_factory=time.monotonic)

    def count(self, began: float, as_of_ms: int) -> None:
        """Counts a right answer that began to be waited for at `began` (of the monotonic clock)."""
        now = time.monotonic()
        self.longest_answer_ms = max(self.longest_answer_ms, (now - began) * 1000)
        self.longest_pause_ms = max(self.longest_pause_ms, (now - self.last) * 1000)
        self.last = now
        self.ages_ms.append(time.time_ns() // 1_000_000 - as_of_ms)

    def __str__(self) -> str:
        ages = quantiles(self.ages_ms, n=100) if len(self.ages_ms) > 1 else [0] * 99
        return (
            f"{self.asked} requests, {len(self.failures)} failed, longest {self.longest_answer_ms:.0f} ms,"
            f" {self.longest_pause_ms:.0f} ms without an answer; as-of age {ages[49]:.0f} ms,"
            f" 99 % {ages[98]:.0f} ms, at most {max(self.ages_ms, default=0)} ms"
        )


class Load:
    """Publishes and asks from `start` on until `stop`. It asks on connections that stay, and on a new one each time."""

    def __init__(self, url: str, bootstrap_servers: str, secret: str) -> None:
        self._url = url
        self._secret = secret
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=5)
        self._history = Traffic(_SEED, time.time_ns() // 1_000_000).history()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.published: list[Record] = []
        self.answers = Answers()
        self.total = Answers()

    async def start(self) -> None:
        """Starts to publish and to ask."""
        await self._producer.start()
        self._tasks = [asyncio.create_task(self._publish())]
        for number in range(_ASKERS):
            self._tasks.append(asyncio.create_task(self._ask(stays=number % 2 == 0)))

    def begin_part(self) -> None:
        """Begins to count in `answers` anew; `total` goes on."""
        self.answers = Answers()

    async def stop(self) -> None:
        """Stops both, once what was begun has ended. Raises the error of a task that has failed."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)
        await self._producer.stop()

    async def wrong_projects(self) -> list[str]:
        """Returns the projects whose totals are not those of the events published, once answers have all of them."""
        wanted = totals_by_project(self.published)
        since_ms = time.time_ns() // 1_000_000
        wrong = []
        async with aiohttp.ClientSession() as session:
            for project_id, totals in wanted.items():
                while True:
                    async with session.get(self._path(project_id), headers=self._token(project_id)) as answer:
                        body = await answer.json()
                        if int(answer.headers["X-Statistics-As-Of"]) > since_ms:
                            break
                    await asyncio.sleep(0.1)
                if {name: body[name] for name in totals} != totals:
                    wrong.append(project_id)
        return wrong

    async def _publish(self) -> None:
        while not self._stopping.is_set():
            first = len(self.published)
            due = self._history[first : first + _EVENTS_A_TICK]
            if not due:
                return
            await publish(self._producer, _TOPIC, due)
            self.published += due
            await asyncio.sleep(_TICK_SECONDS)

    async def _ask(self, *, stays: bool) -> None:
        project_id = PROJECTS[0].project_id
        timeout = aiohttp.ClientTimeout(total=10)
        connector = aiohttp.TCPConnector(force_close=not stays)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            while not self._stopping.is_set():
                await self._ask_once(session, project_id)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _ask_once(self, session: aiohttp.ClientSession, project_id: str) -> None:
        began = time.monotonic()
        failure = None
        try:
            async with session.get(self._path(project_id), headers=self._token(project_id)) as answer:
                await answer.read()
                as_of_ms = int(answer.headers.get("X-Statistics-As-Of", 0))
                if answer.status != HTTPStatus.OK:
                    failure = f"status {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            failure = f"{type(error).__name__}: {error}"
        for counted in (self.answers, self.total):
            counted.asked += 1
            if failure is None:
                counted.count(began, as_of_ms)
            else:
                counted.failures.append(failure)

    def _path(self, project_id: str) -> str:
        return f"{self._url}/v2.0/{project_id}/gene/statistics"

    def _token(self, project_id: str) -> dict[str, str]:
        return {
            "X-Auth-Token": sign_token(
                self._secret,
                user_id="trial",
                name="trial",
                project_id=project_id,
                role="admin",
                now_seconds=time.time_ns() // 1_000_000_000,
            )
        }
