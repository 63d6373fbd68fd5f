"""How fast 1, 2 and 4 processes of our consumer take a topic that is there already."""

import asyncio
import time
import urllib.request
from contextlib import ExitStack
from statistics import median

from bench.ingest import JOIN_SECONDS, Figures, Topic, wait_until_applied
from bench.publishing import publish
from bench.recount import Recount
from bench.run import Row, Run
from bench.servers import cpu_seconds, environment_for, running_broker, running_module, running_redis
from bench.streams import HISTORY, transitions
from deploy.local.plan import PARTITIONS
from deploy.local.process import Child, is_ready
from deploy.local.servers import free_port

_PROCESSES = (1, 2, 4)
_READY_POLL_SECONDS = 0.01


def measure(run: Run) -> list[Row]:
    """The history; a row for each number of processes."""
    stream = list(transitions(run.sized(HISTORY)))
    recount = Recount(stream)
    port = free_port()
    passes: dict[int, list[Figures]] = {processes: [] for processes in _PROCESSES}
    with running_broker(run.folder, port) as broker:
        run.say(f"ingest-processes: publishing {len(stream):,} events")
        topic = Topic(broker, port, asyncio.run(publish(f"127.0.0.1:{port}", stream)))
        del stream
        for turn in range(run.repeats):
            for processes, figures in passes.items():
                run.say(f"ingest-processes: {processes}, pass {turn + 1} of {run.repeats}")
                figures.append(_run(run, topic, recount, processes))
    return [_row(processes, topic.published.total, figures, passes[1]) for processes, figures in passes.items()]


def _run(run: Run, topic: Topic, recount: Recount, processes: int) -> Figures:
    with running_redis(run.folder) as redis, ExitStack() as stack:
        members: list[tuple[Child, int]] = []
        for number in range(processes):
            environment = environment_for(topic.port, redis.port) | {"STATS_KAFKA_GROUP_ID": f"bench-{redis.port}"}
            folder = run.folder / f"consumer-{number}"  # for its log
            folder.mkdir(exist_ok=True)
            child = stack.enter_context(running_module(folder, "consumers", environment))
            members.append((child, int(environment["STATS_METRICS_PORT"])))
        started = _wait_for_first(members)
        cpu, redis_cpu = sum(cpu_seconds(child) for child, _ in members), redis.cpu_seconds()
        broker_cpu = cpu_seconds(topic.broker)
        wait_until_applied(members[0][0], redis, topic)
        figures = Figures(
            time.perf_counter() - started,
            sum(cpu_seconds(child) for child, _ in members) - cpu,
            cpu_seconds(topic.broker) - broker_cpu,
            redis.cpu_seconds() - redis_cpu,
        )
        for child, metrics_port in members:
            share = _assigned_partitions(child, metrics_port)
            if share != PARTITIONS / processes:
                raise child.failure(f"has {share} partitions of {PARTITIONS}, with {processes} processes")
        asyncio.run(recount.check_store(redis.url))
    return figures


def _wait_for_first(members: list[tuple[Child, int]]) -> float:
    """When none was ready yet; the broker lets all that ask while it waits join at the same moment."""
    started = time.perf_counter()
    deadline = started + JOIN_SECONDS
    while not any(is_ready(metrics_port) for _, metrics_port in members):
        started = time.perf_counter()
        for child, _ in members:
            child.check()
        if started > deadline:
            raise members[0][0].failure(f"did not get ready within {JOIN_SECONDS:.0f} s")
        time.sleep(_READY_POLL_SECONDS)
    return started


def _assigned_partitions(child: Child, metrics_port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5) as response:
        for line in response.read().decode().splitlines():
            if line.startswith("stats_consumer_assigned_partitions "):
                return float(line.split()[1])
    raise child.failure("does not say in its metrics how many partitions it has")


def _row(processes: int, events: int, passes: list[Figures], alone: list[Figures]) -> Row:
    return {
        "measured": f"{processes} process{'es' if processes > 1 else ''}",
        "events": events,
        "events_per_second": round(median(events / each.seconds for each in passes)),
        "times_as_fast_as_one": round(
            median(one.seconds / each.seconds for one, each in zip(alone, passes, strict=True)), 2
        ),
        "consumers_cpu_us_per_event": round(median(each.consumer_cpu_seconds for each in passes) / events * 1e6, 2),
        "redis_cpu_us_per_event": round(median(each.redis_cpu_seconds for each in passes) / events * 1e6, 2),
    }
