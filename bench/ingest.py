"""How fast a consumer applies a topic that is there already, beside the floor: fetching and validating alone."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from bench.primaries import Primaries
from bench.publishing import Published, publish
from bench.recount import Recount
from bench.run import Row, Run
from bench.servers import (
    RedisServer,
    cpu_seconds,
    environment_for,
    running_broker,
    running_module,
    running_redis,
)
from bench.streams import DAY, HISTORY, StreamSpec, transitions
from deploy.local.process import Child, is_ready
from deploy.local.servers import free_port
from service.store.layout.heads import parse_head
from service.store.layout.keys import STRIPES, head_key

_READY_POLL_SECONDS = 0.005
_HEADS_POLL_SECONDS = 0.02
JOIN_SECONDS = 60.0
_LEAST_RATE = 1_000  # events a second; slower than that is a failure
_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One pass over the topic: its time, and the CPU time of each process that had a part in it."""

    seconds: float
    consumer_cpu_seconds: float
    broker_cpu_seconds: float
    redis_cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Topic:
    """A broker that holds a whole stream."""

    broker: Child
    port: int
    published: Published

    @property
    def deadline_seconds(self) -> float:
        return _GRACE_SECONDS + self.published.total / _LEAST_RATE


def measure(run: Run) -> list[Row]:
    """Both streams, a row each."""
    return [_measure_stream(run, run.sized(spec)) for spec in (HISTORY, DAY)]


def _measure_stream(run: Run, spec: StreamSpec) -> Row:
    stream = list(transitions(spec))
    recount = Recount(stream)
    port = free_port()
    with running_broker(run.folder, port) as broker:
        run.say(f"ingest {spec.name}: publishing {len(stream):,} events")
        topic = Topic(broker, port, asyncio.run(publish(f"127.0.0.1:{port}", stream)))
        del stream
        floors, ours = [], []
        for turn in range(run.repeats):
            run.say(f"ingest {spec.name}: pass {turn + 1} of {run.repeats}")
            floors.append(run_floor(run, topic))
            ours.append(run_ours(run, topic, recount))
    return _row(spec.name, topic.published.total, floors, ours)


def run_floor(run: Run, topic: Topic) -> Figures:
    """One pass of the floor."""
    result_path = run.folder / "floor.json"
    broker_cpu = cpu_seconds(topic.broker)
    environment = environment_for(topic.port)
    arguments = [str(topic.published.total)]
    with (
        result_path.open("wb") as output,
        running_module(run.folder, "bench.floor", environment, arguments, output) as child,
    ):
        try:
            code = child.process.wait(topic.deadline_seconds)
        except subprocess.TimeoutExpired:
            raise child.failure(f"did not read all events in {topic.deadline_seconds:.0f} s") from None
        if code != 0:
            raise child.failure(f"failed (exit code {code})")
    result = json.loads(result_path.read_bytes())
    return Figures(result["seconds"], result["cpu_seconds"], cpu_seconds(topic.broker) - broker_cpu)


def run_ours(run: Run, topic: Topic, recount: Recount) -> Figures:
    """One pass of our consumer; raises WrongAnswerError unless the store is right after it."""
    with running_redis(run.folder) as redis:
        environment = environment_for(topic.port, redis.port)
        # another group each time, since nobody waits for the last member's session to end
        environment["STATS_KAFKA_GROUP_ID"] = f"bench-{redis.port}"
        broker_cpu = cpu_seconds(topic.broker)
        with running_module(run.folder, "consumers", environment) as child:
            started = wait_for_start(child, int(environment["STATS_METRICS_PORT"]))
            cpu, redis_cpu = cpu_seconds(child), redis.cpu_seconds()
            wait_until_applied(child, redis, topic)
            figures = Figures(
                time.perf_counter() - started,
                cpu_seconds(child) - cpu,
                cpu_seconds(topic.broker) - broker_cpu,
                redis.cpu_seconds() - redis_cpu,
            )
        asyncio.run(recount.check_store(redis.url))
    return figures


def wait_for_start(child: Child, metrics_port: int) -> float:
    """When the consumer was last seen not to be ready: then it has its partitions, and fetches from the next moment."""
    deadline = time.perf_counter() + JOIN_SECONDS
    started = time.perf_counter()
    while not is_ready(metrics_port):
        child.check()
        started = time.perf_counter()
        if started > deadline:
            raise child.failure(f"did not get ready within {JOIN_SECONDS:.0f} s")
        time.sleep(_READY_POLL_SECONDS)
    return started


def wait_until_applied(child: Child, redis: RedisServer | Primaries, topic: Topic) -> None:
    keys = [head_key(stripe) for stripe in range(STRIPES)]
    deadline = time.perf_counter() + topic.deadline_seconds
    while not topic.published.is_applied(list(map(parse_head, redis.strings(keys)))):
        child.check()
        if time.perf_counter() > deadline:
            raise child.failure(f"did not apply {topic.published.total} events in {topic.deadline_seconds:.0f} s")
        time.sleep(_HEADS_POLL_SECONDS)


def _row(name: str, events: int, floors: list[Figures], ours: list[Figures]) -> Row:
    def middle_us(seconds: Iterable[float]) -> float:
        return median(seconds) / events * 1e6

    ratios = [floor.seconds / each.seconds for floor, each in zip(floors, ours, strict=True)]
    return {
        "measured": name,
        "events": events,
        "floor_events_per_second": round(1e6 / middle_us(each.seconds for each in floors)),
        "events_per_second": round(1e6 / middle_us(each.seconds for each in ours)),
        "ratio": round(median(ratios), 3),
        "ratio_least": round(min(ratios), 3),
        "ratio_greatest": round(max(ratios), 3),
        "floor_cpu_us_per_event": round(middle_us(each.consumer_cpu_seconds for each in floors), 2),
        "consumer_cpu_us_per_event": round(middle_us(each.consumer_cpu_seconds for each in ours), 2),
        "redis_cpu_us_per_event": round(middle_us(each.redis_cpu_seconds for each in ours), 2),
        "broker_cpu_us_per_event": round(middle_us(each.broker_cpu_seconds for each in ours), 2),
    }
