"""How long it takes to save a store, to bring it back, and to build it from the topic alone."""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from redis import Redis

from bench.ingest import Topic, wait_for_start, wait_until_applied
from bench.publishing import publish
from bench.recount import WrongAnswerError
from bench.run import Row, Run
from bench.servers import RedisServer, environment_for, running_broker, running_module, stopping
from bench.streams import DAY_MS, FIRST_MS, Transition
from deploy.local.servers import find_redis, free_port, start_redis
from service.events.event import JobStatus
from service.store.read.client import create_reader_store

_JOBS = 10_000_000
_PROJECTS, _USERS = 500, 20
_SPAN_MS = 730 * DAY_MS
_ENDS = (JobStatus.FINISHED,) * 9 + (JobStatus.FAILED,)
_POLL_SECONDS = 0.05
_WITH_LOG = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")


@dataclass(slots=True)
class _Ended:
    """Jobs that have ended, an event each as a compacted topic has them, and what they must be counted as."""

    jobs: int
    seed: int = 1
    counts: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Transition]:
        rnd = random.Random(self.seed)
        names = [f"{number:032x}" for number in range(max(_PROJECTS, _USERS))]
        for _ in range(self.jobs):
            start_ms, project, user = (
                FIRST_MS + rnd.randrange(_SPAN_MS),
                rnd.randrange(_PROJECTS),
                rnd.randrange(_USERS),
            )
            status, size_bytes, job_id = rnd.choice(_ENDS), rnd.getrandbits(36), str(UUID(int=rnd.getrandbits(128)))
            sums = self.counts.setdefault(names[project], {}).setdefault(f"user-{user}", [0] * 7)
            sums[status] += 1
            sums[6] += size_bytes
            yield Transition(
                *(start_ms + 60_000, names[project], names[user], f"user-{user}", job_id, "CNVKIT"),
                *(status.name, start_ms, size_bytes, 3),
            )

    async def check(self, redis_url: str) -> None:
        """Raises WrongAnswerError unless the store answers for all time what the jobs sum up to."""
        async with create_reader_store(redis_url, cluster=False) as store:
            for project_id, by_user in self.counts.items():
                body = json.loads((await store.read(project_id, None, None, None)).body)
                answered = {
                    row["user_name"]: [row[f"{status.name.lower()}_num"] for status in JobStatus] + [row["input_size"]]
                    for row in body["users"]
                }
                if answered != by_user:
                    raise WrongAnswerError(f"project {project_id}: {answered} instead of {by_user}")


def measure(run: Run) -> list[Row]:
    """A row for each way to save the store or to bring it back."""
    ended = _Ended(run.count(_JOBS, 20_000))
    port = free_port()
    with running_broker(run.folder, port) as broker, tempfile.TemporaryDirectory(dir=run.folder) as folder:
        run.say(f"recovery: publishing an event of each of {ended.jobs:,} jobs")
        topic = Topic(broker, port, asyncio.run(publish(f"127.0.0.1:{port}", ended)))
        return list(_rows(run, ended, topic, Path(folder)))


def _rows(run: Run, ended: _Ended, topic: Topic, data: Path) -> Iterator[Row]:
    def row(name: str, seconds: float, size_bytes: int = 0) -> Row:
        asyncio.run(ended.check(redis.url))
        run.say(f"recovery: {name}, {seconds:.1f} s")
        per_minute = round(ended.jobs / seconds * 60)
        return {"measured": name, "seconds": round(seconds, 1), "file_bytes": size_bytes, "jobs_a_minute": per_minute}

    with _redis(run, data, _WITH_LOG) as (redis, _):
        yield row("consumer, from the topic", _from_topic(run, topic, redis))
        yield row("rebuild, from the topic", _rebuild(run, topic, redis))
        seconds = _timed(redis, "BGREWRITEAOF", "aof_rewrite_in_progress")
        yield row("append-only file written anew", seconds, _bytes_in(data / "appendonlydir"))
        seconds = _timed(redis, "BGSAVE", "rdb_bgsave_in_progress")
        yield row("snapshot written", seconds, (data / "dump.rdb").stat().st_size)
    with _redis(run, data, _WITH_LOG) as (redis, seconds):
        yield row("started from the append-only file", seconds)
    with _redis(run, data, ()) as (redis, seconds):
        yield row("started from the snapshot", seconds)


@contextmanager
def _redis(run: Run, data: Path, options: tuple[str, ...]) -> Iterator[tuple[RedisServer, float]]:
    port = free_port()
    started = time.perf_counter()
    child = start_redis(find_redis(), port, data, run.folder / "redis.log", options)
    seconds = time.perf_counter() - started
    with stopping(child), Redis(host="127.0.0.1", port=port, protocol=2) as client:
        yield RedisServer(child, port, client), seconds


def _from_topic(run: Run, topic: Topic, redis: RedisServer) -> float:
    environment = environment_for(topic.port, redis.port)
    with running_module(run.folder, "consumers", environment) as child:
        started = wait_for_start(child, int(environment["STATS_METRICS_PORT"]))
        wait_until_applied(child, redis, topic)
        return time.perf_counter() - started


def _rebuild(run: Run, topic: Topic, redis: RedisServer) -> float:
    started = time.perf_counter()
    with running_module(run.folder, "consumers", environment_for(topic.port, redis.port), ["rebuild"]) as child:
        if code := child.process.wait():
            raise child.failure(f"failed (exit code {code})")
    return time.perf_counter() - started


def _timed(redis: RedisServer, command: str, is_under_way: str) -> float:
    started = time.perf_counter()
    redis.client.execute_command(command)  # type: ignore[no-untyped-call]
    _wait(lambda: not redis.client.info("persistence")[is_under_way])
    return time.perf_counter() - started


def _wait(is_done: Callable[[], bool]) -> None:
    while not is_done():
        time.sleep(_POLL_SECONDS)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
