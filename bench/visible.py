"""How long after the broker has acknowledged an event the API's answer has it, at rest and while much else comes.

Other events come in bursts, 20 a second, or smoothly, a batch every five milliseconds.
"""

import asyncio
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from aiokafka import AIOKafkaProducer

from bench.asking import ApiClient
from bench.capacity import measure_capacity
from bench.run import Row, Run, percentile
from bench.servers import (
    environment_for,
    running_api,
    running_kafka,
    running_module,
    running_redis,
    usage,
)
from bench.streams import StreamSpec, Transition, transitions
from bench.timeline import Probe, medians_ms, now_seconds
from bench.waiting import WAITED, Watch, until_quiet
from deploy.local.plan import PARTITIONS, TOPIC
from deploy.local.process import Child, is_ready, wait_until
from deploy.local.servers import create_topics

_GOALS_MS = {25: 50.0, 50: 75.0}  # by percent of the capacity
_EVENTS_PER_SECOND = 20
_SLOWEST_SHARE = 20  # the slowest twentieth
_MOST_WAITED_PERCENT = 25.0  # of the time that passed: consumer, API and Redis together
_VISIBLE_SECONDS = 20.0
_PRESSING_SECONDS = 20
_LIMIT_SECONDS = 120.0
_JOIN_SECONDS = 60.0
_POLL_SECONDS = 0.002  # between questions, so that the API leaves the machine to the consumer


@dataclass(frozen=True, slots=True)
class _Running:
    """A broker, a consumer that is ready, and the API."""

    port: int
    consumer: Child
    others: tuple[Child, ...]
    client: ApiClient
    timeline: Path
    seeds: Iterator[int] = field(default_factory=count)  # of probes: each set of them has a project of its own

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        return f"127.0.0.1:{self.port}"


def measure(run: Run) -> list[Row]:
    """One row at rest, and for each share of what the consumer can take one of bursts and one of a smooth stream."""
    capacity = measure_capacity(run)
    timeline = run.folder / "timeline.jsonl"
    with running_kafka(run.folder, run.say) as port, running_redis(run.folder) as redis:
        asyncio.run(create_topics(f"127.0.0.1:{port}", {TOPIC: PARTITIONS}))
        environment = environment_for(port, redis.port)
        with (
            running_module(run.folder, "bench.timeline", environment, [str(timeline)]) as consumer,
            running_api(run.folder, environment) as api,
            ApiClient(int(environment["STATS_HTTP_PORT"])) as client,
        ):
            metrics_port = int(environment["STATS_METRICS_PORT"])
            wait_until(consumer, lambda: is_ready(metrics_port), "get ready", _JOIN_SECONDS)
            running = _Running(port, consumer, (api, redis.child), client, timeline)
            rows = [until_quiet(run, _MOST_WAITED_PERCENT, lambda: _at_rest(run, running))]
            for share, goal_ms in _GOALS_MS.items():
                for name in ("bursts", "smooth"):
                    load = partial(_under_load, run, running, share, name, capacity)
                    row = until_quiet(run, _MOST_WAITED_PERCENT, load)
                    rows.append(row)
                    run.keep(f"visible at {share} %, {name}: p99, ms", float(row["p99_ms"]), goal_ms, [row])
    return rows


def _at_rest(run: Run, running: _Running) -> Row:
    jobs = run.count(200, 20)
    run.say(f"visible at rest: publishing {jobs} events")
    return _measured(running, {"measured": "at rest", "offered_events_per_second": 0}, _events(running, jobs))


def _under_load(run: Run, running: _Running, share: int, name: str, capacity: float) -> Row:
    """Probes while a process of its own publishes so many percent of the capacity."""
    offered = max(1, round(capacity * share / 100))
    seconds = run.count(_PRESSING_SECONDS, 2)
    run.say(f"visible at {share} %, {name}: {offered:,} events a second for {seconds} s")
    path = run.folder / "pressing.out"
    arguments = [running.bootstrap_servers, str(offered), str(seconds), name]
    row: Row = {"measured": f"{share} %, {name}", "offered_events_per_second": offered}
    with (
        path.open("wb") as output,
        running_module(run.folder, "bench.pressing", environment_for(), arguments, output) as pressing,
    ):
        wait_until(pressing, lambda: path.stat().st_size > 0, "begin", _LIMIT_SECONDS)
        events = _events(running, seconds * _EVENTS_PER_SECOND)
        row = _measured(running, row, events, lambda: pressing.process.poll() is None)
        try:
            code = pressing.process.wait(_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise pressing.failure(f"did not publish its events in {_LIMIT_SECONDS:.0f} s") from None
        if code != 0:
            raise pressing.failure(f"failed (exit code {code})")
    return {**row, "publisher_late_ms": int(path.read_text().split()[-1])}


def _measured(running: _Running, row: Row, events: list[Transition], goes_on: Callable[[], bool] = lambda: True) -> Row:
    """The row, with what these events as probes say, one after the other as long as it goes on."""
    watch = Watch(lambda: usage(running.consumer, *running.others))
    probes = asyncio.run(_publish_and_ask(running, events, goes_on))
    waited_percent = watch.percent()
    delays_ms = [probe.delay_ms for probe in probes]
    slowest = sorted(probes, key=lambda probe: probe.delay_ms)[-max(1, len(probes) // _SLOWEST_SHARE) :]
    return {
        **row,
        "events": len(probes),
        WAITED: waited_percent,
        "p50_ms": round(percentile(delays_ms, 50), 1),
        "p99_ms": round(percentile(delays_ms, 99), 1),
        "max_ms": round(max(delays_ms), 1),
        **medians_ms(running.timeline, slowest),
    }


def _events(running: _Running, jobs: int) -> list[Transition]:
    """The first events of so many jobs of a project of their own."""
    stream = transitions(StreamSpec("probes", jobs, 1, projects=1, seed=next(running.seeds)))
    return [each for each in stream if each.sequence == 1]


async def _publish_and_ask(running: _Running, events: list[Transition], goes_on: Callable[[], bool]) -> list[Probe]:
    """When each of these events was counted, one after the other as long as it goes on."""
    rnd = random.Random(1)
    probes = []
    async with AIOKafkaProducer(bootstrap_servers=running.bootstrap_servers, enable_idempotence=False) as producer:
        for number, event in enumerate(events, 1):
            if not goes_on():
                break
            key, value = event.record(f"{number:032x}")
            sent = await producer.send_and_wait(TOPIC, value, key)
            acknowledged = now_seconds()
            _wait_until_counted(event.project_id, number, running, acknowledged + _VISIBLE_SECONDS)
            probes.append(Probe(sent.partition, sent.offset, acknowledged, now_seconds()))
            # at random instants, so that no cycle of the consumer is always met at the same point
            await asyncio.sleep(rnd.expovariate(_EVENTS_PER_SECOND))
    return probes


def _wait_until_counted(project_id: str, jobs: int, running: _Running, deadline: float) -> None:
    while running.client.ask(project_id)[0]["total_launching_num"] < jobs:
        if now_seconds() > deadline:
            raise running.consumer.failure(f"has not made an event visible within {_VISIBLE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
