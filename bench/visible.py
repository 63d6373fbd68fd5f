"""How long after the broker has acknowledged an event the API's answer has it, at rest and while much else comes."""

import asyncio
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

from aiokafka import AIOKafkaProducer

from bench.asking import ApiClient
from bench.capacity import measure_capacity
from bench.run import Row, Run, percentile
from bench.servers import environment_for, running_api, running_kafka, running_module, running_redis
from bench.streams import StreamSpec, Transition, transitions
from deploy.local.plan import PARTITIONS, TOPIC
from deploy.local.process import Child, is_ready, wait_until
from deploy.local.servers import create_topics

_SHARES = (1, 50, 90)  # percent of the capacity
_EVENTS_PER_SECOND = 20
_VISIBLE_SECONDS = 20.0
_PRESSING_SECONDS = 15
_LIMIT_SECONDS = 120.0
_JOIN_SECONDS = 60.0
_POLL_SECONDS = 0.002  # between questions, so that the API leaves the machine to the consumer
_GOAL_SHARE, _GOAL_MS = 50, 50.0


@dataclass(frozen=True, slots=True)
class _Running:
    """A broker, a consumer that is ready, and the API."""

    port: int
    consumer: Child
    client: ApiClient

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        return f"127.0.0.1:{self.port}"


def measure(run: Run) -> list[Row]:
    """One row at rest, and one for each share of what the consumer can take."""
    capacity = measure_capacity(run)
    with running_kafka(run.folder, run.say) as port, running_redis(run.folder) as redis:
        asyncio.run(create_topics(f"127.0.0.1:{port}", {TOPIC: PARTITIONS}))
        environment = environment_for(port, redis.port)
        with (
            running_module(run.folder, "consumers", environment) as consumer,
            running_api(run.folder, environment),
            ApiClient(int(environment["STATS_HTTP_PORT"])) as client,
        ):
            metrics_port = int(environment["STATS_METRICS_PORT"])
            wait_until(consumer, lambda: is_ready(metrics_port), "get ready", _JOIN_SECONDS)
            running = _Running(port, consumer, client)
            at_rest = _at_rest(run, running)
            loaded = {share: _under_load(run, running, share, capacity) for share in _SHARES}
    run.keep(f"visible at {_GOAL_SHARE} %: p99, ms", float(loaded[_GOAL_SHARE]["p99_ms"]), _GOAL_MS)
    return [at_rest, *loaded.values()]


def _at_rest(run: Run, running: _Running) -> Row:
    jobs = run.count(200, 20)
    run.say(f"visible at rest: publishing {jobs} events")
    delays_ms = asyncio.run(_publish_and_ask(running, _probes("rest", jobs)))
    return _row("at rest", 0, 0, delays_ms)


def _under_load(run: Run, running: _Running, share: int, capacity: float) -> Row:
    """Probes while a process of its own publishes so many percent of the capacity."""
    offered = max(1, round(capacity * share / 100))
    seconds = run.count(_PRESSING_SECONDS, 2)
    run.say(f"visible at {share} %: {offered:,} events a second for {seconds} s")
    path = run.folder / "pressing.out"
    arguments = [running.bootstrap_servers, str(offered), str(seconds)]
    with (
        path.open("wb") as output,
        running_module(run.folder, "bench.pressing", environment_for(), arguments, output) as pressing,
    ):
        wait_until(pressing, lambda: path.stat().st_size > 0, "begin", _LIMIT_SECONDS)
        probes = _probes(f"{share} %", seconds * _EVENTS_PER_SECOND)
        delays_ms = asyncio.run(_publish_and_ask(running, probes, lambda: pressing.process.poll() is None))
        try:
            code = pressing.process.wait(_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise pressing.failure(f"did not publish its events in {_LIMIT_SECONDS:.0f} s") from None
        if code != 0:
            raise pressing.failure(f"failed (exit code {code})")
    return _row(f"{share} % of {capacity:,.0f}", offered, int(path.read_text().split()[-1]), delays_ms)


def _probes(seed: str, jobs: int) -> list[Transition]:
    """The first events of so many jobs of a project of their own."""
    stream = transitions(StreamSpec("probes", jobs, 1, projects=1, seed=crc32(seed.encode())))
    return [each for each in stream if each.sequence == 1]


async def _publish_and_ask(
    running: _Running, events: list[Transition], goes_on: Callable[[], bool] = lambda: True
) -> list[float]:
    """Milliseconds until each of these events was counted, one after the other as long as it goes on."""
    rnd = random.Random(1)
    delays_ms = []
    async with AIOKafkaProducer(bootstrap_servers=running.bootstrap_servers, enable_idempotence=False) as producer:
        for number, event in enumerate(events, 1):
            if not goes_on():
                break
            key, value = event.record(f"{number:032x}")
            await producer.send_and_wait(TOPIC, value, key)
            delays_ms.append(_wait_until_counted(event.project_id, number, running) * 1000)
            # at random instants, so that no cycle of the consumer is always met at the same point
            await asyncio.sleep(rnd.expovariate(_EVENTS_PER_SECOND))
    return delays_ms


def _wait_until_counted(project_id: str, jobs: int, running: _Running) -> float:
    """Seconds until an answer counts so many jobs."""
    acknowledged = time.perf_counter()
    while running.client.ask(project_id)[0]["total_launching_num"] < jobs:
        if time.perf_counter() - acknowledged > _VISIBLE_SECONDS:
            raise running.consumer.failure(f"has not made an event visible within {_VISIBLE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return time.perf_counter() - acknowledged


def _row(name: str, offered: int, late_ms: int, delays_ms: list[float]) -> Row:
    return {
        "measured": name,
        "events": len(delays_ms),
        "offered_events_per_second": offered,
        "publisher_late_ms": late_ms,
        "p50_ms": round(percentile(delays_ms, 50), 1),
        "p99_ms": round(percentile(delays_ms, 99), 1),
        "max_ms": round(max(delays_ms), 1),
    }
