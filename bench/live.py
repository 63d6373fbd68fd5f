"""What a hundred live streams of one project cost, beside as many clients that ask once a second."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from bench.asking import administrator_token, path_of
from bench.changing import Change, Pace, changing
from bench.jobs import PROJECT, Jobs, make_jobs, to_body
from bench.loading import filled_redis
from bench.recount import WrongAnswerError
from bench.run import Row, Run
from bench.servers import RedisServer, environment_for, running_api, usage
from bench.waiting import WAITED, Watch, until_quiet
from deploy.local.process import Child, ChildFailedError

_JOBS = 30_000
_CLIENTS = 100
_CLIENTS_OF_A_CALLER = 10  # a caller may have 16 streams
_PACES = {"10 events a second": Pace(1, 0.1), "1,000 events a second": Pace(20, 0.02)}
_STREAMS, _POLLING = "100 streams", "100 that poll"
_SECONDS = 10
_MOST_WAITED_PERCENT = 20.0
_LIMIT_SECONDS = 30.0
_MOST_A_SECOND = 4
_POLL_SECONDS = 0.02
_PATH = path_of(PROJECT, (None, None))
_STREAM_PATH = f"/v2.0/{PROJECT}/gene/statistics/stream"
_OK = 200


@dataclass(slots=True)
class _Clients:
    """What a hundred clients have received so far, and the newest answer that each of them has."""

    session: ClientSession
    answers: int = 0
    received_bytes: int = 0
    newest: list[bytes] = field(default_factory=lambda: [b""] * _CLIENTS)

    async def listen(self, number: int) -> None:
        """Reads a stream until cancelled."""
        async with self.session.get(_STREAM_PATH, headers=_headers(number)) as response:
            _check_status(response.status)
            async for line in response.content:
                self.received_bytes += len(line)
                _, has_statistics, statistics = line.partition(b'"statistics":')
                if has_statistics:
                    self.answers += 1
                    self.newest[number] = statistics.removesuffix(b"}\n")

    async def poll(self, number: int) -> None:
        """Asks once a second until cancelled, at another time than the others."""
        await asyncio.sleep(number / _CLIENTS)
        while True:
            ends = time.monotonic() + 1
            async with self.session.get(_PATH, headers=_headers(number)) as response:
                _check_status(response.status)
                self.newest[number] = await response.read()
            self.answers += 1
            self.received_bytes += len(self.newest[number])
            await asyncio.sleep(ends - time.monotonic())


@dataclass(frozen=True, slots=True)
class _Served:
    """The API over a Redis that changes."""

    url: str
    api: Child
    redis: RedisServer
    change: Change


async def _count(served: _Served, clients: _Clients) -> dict[str, float]:
    """What has been done so far."""
    async with clients.session.get("/metrics") as response:
        lines = [line for line in (await response.text()).splitlines() if line.startswith("stats_stream_")]
    metrics = {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
    return {
        "answers": clients.answers,
        "kib": clients.received_bytes / 1024,
        "looks": metrics["stats_stream_looks_total"],
        "questions": metrics["stats_stream_questions_total"],
        "redis_reads": served.redis.client.info("commandstats").get("cmdstat_mget", {"calls": 0})["calls"],
        "api_cpu_ms": usage(served.api).cpu_seconds * 1000,
        "redis_cpu_ms": served.redis.cpu_seconds() * 1000,
    }


def _headers(number: int) -> dict[str, str]:
    user_id = f"administrator-{number // _CLIENTS_OF_A_CALLER}"
    return {"X-Auth-Token": administrator_token(PROJECT, user_id)}


def _check_status(status: int) -> None:
    if status != _OK:
        raise ChildFailedError(f"the API answers {status}")


def measure(run: Run) -> list[Row]:
    """A row for each rate of events and way of clients."""
    jobs = make_jobs(run.count(_JOBS, 2_000), 20)
    rows = {
        (rate, way): until_quiet(run, _MOST_WAITED_PERCENT, partial(_measure_way, run, jobs, rate, way))
        for rate in _PACES
        for way in (_STREAMS, _POLLING)
    }
    for rate in _PACES:
        streams, polling = rows[rate, _STREAMS], rows[rate, _POLLING]
        for figure in ("looks", "questions"):
            value = float(streams[f"{figure}_per_second"])
            run.keep(f"stream, {rate}: {figure} a second", value, _MOST_A_SECOND, of=[streams])
        cpu_ratio = float(streams["api_cpu_ms_per_second"]) / float(polling["api_cpu_ms_per_second"])
        run.keep(f"stream, {rate}: CPU of the API by that of polling", cpu_ratio, 1, of=[streams, polling])
    return list(rows.values())


def _measure_way(run: Run, jobs: Jobs, rate: str, way: str) -> Row:
    run.say(f"stream: {rate}, {way}")
    with filled_redis(run.folder, jobs) as redis:
        environment = environment_for(redis_port=redis.port)
        with running_api(run.folder, environment) as api, changing(run.folder, redis, jobs, _PACES[rate]) as change:
            url = f"http://127.0.0.1:{environment['STATS_HTTP_PORT']}"
            figures = asyncio.run(_count_clients(_Served(url, api, redis, change), way, run.count(_SECONDS, 2)))
    return {"measured": f"{rate}: {way}", **figures}


async def _count_clients(served: _Served, way: str, count_seconds: int) -> Row:
    """Lets the clients run, and counts what that takes a second; at the end all must have the last answer."""
    connector, limit = TCPConnector(limit=0), ClientTimeout(None)
    async with ClientSession(served.url, connector=connector, timeout=limit) as session, asyncio.TaskGroup() as group:
        clients = _Clients(session)
        ask = clients.listen if way == _STREAMS else clients.poll
        tasks = [group.create_task(ask(number)) for number in range(_CLIENTS)]
        await _all_have(clients, bool)
        watch, before, began = Watch(), await _count(served, clients), time.monotonic()
        await asyncio.sleep(count_seconds)
        after, seconds, waited = await _count(served, clients), time.monotonic() - began, watch.percent()
        jobs = await asyncio.to_thread(served.change.stop)
        last = to_body(jobs.count((None, None)))
        await _all_have(clients, lambda newest: json.loads(newest) == last)
        for task in tasks:
            task.cancel()
    return {
        **{f"{name}_per_second": round((after[name] - before[name]) / seconds, 2) for name in before},
        WAITED: waited,
    }


async def _all_have(clients: _Clients, is_right: Callable[[bytes], bool]) -> None:
    """Waits until every client has such an answer; raises WrongAnswerError if one has none for long."""
    ends = time.monotonic() + _LIMIT_SECONDS
    while not all(is_right(newest) for newest in set(clients.newest)):
        if time.monotonic() > ends:
            raise WrongAnswerError(f"clients have {set(clients.newest)}")
        await asyncio.sleep(_POLL_SECONDS)
