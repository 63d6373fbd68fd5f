"""How fast a consumer applies a topic that is there already, beside the floor: fetching and validating alone.

The floor and ours take turns, three times or more.
"""

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass, field
from statistics import median

from bench.primaries import Primaries
from bench.publishing import Published, publish
from bench.recount import Recount
from bench.run import VOID, Row, Run, is_void
from bench.servers import (
    RedisServer,
    Usage,
    environment_for,
    running_broker,
    running_module,
    running_redis,
    usage,
)
from bench.streams import DAY, HISTORY, StreamSpec, transitions
from bench.waiting import WAITED, until_quiet
from deploy.local.process import Child, is_ready
from deploy.local.servers import free_port
from service.store.layout.heads import parse_head
from service.store.layout.keys import STRIPES, head_key

_READY_POLL_SECONDS = 0.005
_HEADS_POLL_SECONDS = 0.02
JOIN_SECONDS = 60.0
_LEAST_RATE = 1_000  # events a second; slower than that is a failure
_GRACE_SECONDS = 30.0
_LEAST_PAIRS = 3
_MOST_WAITED_PERCENT = 10.0
_GOALS = {HISTORY.name: (0.95, 2.3), DAY.name: (0.8, 3.9)}  # ours by the floor, and Redis' CPU, us an event


@dataclass(frozen=True, slots=True)
class Figures:
    """One pass over the topic: its time, and what each process that had a part in it has used of a core."""

    seconds: float
    consumer: Usage
    broker: Usage
    redis: Usage = field(default_factory=Usage)

    @property
    def waited_percent(self) -> float:
        """How long consumer and Redis waited for a core, in percent of its time; the broker's threads always do."""
        return (self.consumer + self.redis).waited_seconds / self.seconds * 100


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
    rows = []
    for spec in (HISTORY, DAY):
        row = _measure_stream(run, run.sized(spec))
        rows.append(row)
        least_ratio, most_redis_us = _GOALS[spec.name]
        run.reach(f"{spec.name}: ours by floor", float(row["ratio"]), least_ratio, [row])
        floor_us = float(row["floor_cpu_us_per_event"])
        run.keep(f"{spec.name}: consumer CPU by floor's", float(row["consumer_cpu_us_per_event"]) / floor_us, 1.0)
        run.keep(f"{spec.name}: Redis CPU, us an event", float(row["redis_cpu_us_per_event"]), most_redis_us)
    return rows


def _measure_stream(run: Run, spec: StreamSpec) -> Row:
    stream = list(transitions(spec))
    recount = Recount(stream)
    port = free_port()
    with running_broker(run.folder, port) as broker:
        run.say(f"ingest {spec.name}: publishing {len(stream):,} events")
        topic = Topic(broker, port, asyncio.run(publish(f"127.0.0.1:{port}", stream)))
        del stream
        pairs = []
        for turn in range(max(run.repeats, _LEAST_PAIRS)):
            run.say(f"ingest {spec.name}: pair {turn + 1}")
            pairs.append(until_quiet(run, _MOST_WAITED_PERCENT, lambda: _pair(run, topic, recount)))
    return _row(spec.name, topic.published.total, pairs)


def _pair(run: Run, topic: Topic, recount: Recount) -> Row:
    """Seconds, and microseconds of CPU and of waiting for a core by event, of a pass of each."""
    floor, ours = run_floor(run, topic), run_ours(run, topic, recount)
    pair: Row = {"floor_seconds": floor.seconds, "seconds": ours.seconds, "ratio": floor.seconds / ours.seconds}
    processes = {"floor": floor.consumer, "consumer": ours.consumer, "redis": ours.redis, "broker": ours.broker}
    for name, used in processes.items():
        pair[f"{name}_cpu_us_per_event"] = used.cpu_seconds / topic.published.total * 1e6
        pair[f"{name}_waited_us_per_event"] = used.waited_seconds / topic.published.total * 1e6
    return {**pair, WAITED: round(max(floor.waited_percent, ours.waited_percent), 1)}


def run_floor(run: Run, topic: Topic) -> Figures:
    """One pass of the floor."""
    result_path = run.folder / "floor.json"
    broker = usage(topic.broker)
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
    used = Usage(result["cpu_seconds"], result["waited_seconds"])
    return Figures(result["seconds"], used, usage(topic.broker) - broker)


def run_ours(run: Run, topic: Topic, recount: Recount) -> Figures:
    """One pass of our consumer; raises WrongAnswerError unless the store is right after it."""
    with running_redis(run.folder) as redis:
        environment = environment_for(topic.port, redis.port)
        # another group each time, since nobody waits for the last member's session to end
        environment["STATS_KAFKA_GROUP_ID"] = f"bench-{redis.port}"
        broker = usage(topic.broker)
        with running_module(run.folder, "consumers", environment) as child:
            started = wait_for_start(child, int(environment["STATS_METRICS_PORT"]))
            consumer, store = usage(child), usage(redis.child)
            wait_until_applied(child, redis, topic)
            seconds = time.perf_counter() - started
            figures = Figures(
                seconds, usage(child) - consumer, usage(topic.broker) - broker, usage(redis.child) - store
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


def _row(name: str, events: int, pairs: list[Row]) -> Row:
    def middle(column: str) -> float:
        return median(float(pair[column]) for pair in pairs)

    ratios = [float(pair["ratio"]) for pair in pairs]
    row: Row = {
        "measured": name,
        "events": events,
        "pairs": len(pairs),
        "floor_events_per_second": round(events / middle("floor_seconds")),
        "events_per_second": round(events / middle("seconds")),
        "ratio": round(median(ratios), 3),
        "ratio_least": round(min(ratios), 3),
        "ratio_greatest": round(max(ratios), 3),
    }
    row |= {column: round(middle(column), 2) for column in pairs[0] if column.endswith("_us_per_event")}
    return {**row, WAITED: middle(WAITED), **({VOID: True} if any(map(is_void, pairs)) else {})}
