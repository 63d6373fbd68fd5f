"""What more consumers and more primaries of a cluster cost an event, and what they would gain with a core for each.

The machine has fewer cores than that, so times say little here. CPU time does not: with a core for each process the
events a second are those of the process that has the most to do.
"""

import asyncio
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from bench.ingest import JOIN_SECONDS, Topic, wait_until_applied
from bench.primaries import Primaries, running_primaries
from bench.publishing import publish
from bench.recount import Recount
from bench.run import Row, Run
from bench.servers import cpu_seconds, environment_for, running_broker, running_module
from bench.streams import HISTORY, transitions
from deploy.local.process import Child, is_ready
from deploy.local.servers import free_port

_ONE, _TWO = (1, 1), (2, 1)
_SIZES = (_ONE, _TWO, (4, 1), (1, 3), (2, 3), (4, 3))
"""Numbers of consumers and of primaries."""
_COMPARED_PASSES = 3  # of one consumer and of two, by turns
_PARTITIONS = 12  # each number of consumers has equal shares
_MOST_BY_ONE = 1.05
_READY_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class _Pass:
    """The CPU time that each process took to apply the whole topic, and how long that lasted."""

    seconds: float
    consumers: list[float]
    primaries: list[float]
    broker: float


def measure(run: Run) -> list[Row]:
    """The history; a row for each number of consumers and of primaries, medians over the passes."""
    stream = list(transitions(run.sized(HISTORY)))
    recount = Recount(stream)
    port = free_port()
    passes: dict[tuple[int, int], list[_Pass]] = {size: [] for size in _SIZES}
    with running_broker(run.folder, port) as broker:
        run.say(f"scaling: publishing {len(stream):,} events")
        topic = Topic(broker, port, asyncio.run(publish(f"127.0.0.1:{port}", stream, _PARTITIONS)))
        del stream
        for turn in range(max(run.repeats, _COMPARED_PASSES)):
            for size in _SIZES if turn < run.repeats else (_ONE, _TWO):
                run.say(f"scaling: consumers {size[0]}, primaries {size[1]}, pass {turn + 1}")
                passes[size].append(_pass(run, topic, recount, *size))
    pairs = zip(passes[_ONE], passes[_TWO], strict=True)
    by_one = median(sum(two.consumers) / sum(one.consumers) for one, two in pairs)
    run.keep("scaling: CPU of two consumers by one's", by_one, _MOST_BY_ONE)
    return [_row(*size, topic.published.total, passes[size]) for size in _SIZES]


def _pass(run: Run, topic: Topic, recount: Recount, consumers: int, primaries: int) -> _Pass:
    with running_primaries(run.folder, primaries) as cluster, ExitStack() as stack:
        members = [_start(run, stack, topic, cluster, number) for number in range(consumers)]
        started = _wait_for_first(members)
        children = [child for child, _ in members]
        before = _Pass(0.0, list(map(cpu_seconds, children)), cluster.cpu_seconds(), cpu_seconds(topic.broker))
        wait_until_applied(children[0], cluster, topic)
        measured = _Pass(
            time.perf_counter() - started,
            [cpu_seconds(child) - then for child, then in zip(children, before.consumers, strict=True)],
            [now - then for now, then in zip(cluster.cpu_seconds(), before.primaries, strict=True)],
            cpu_seconds(topic.broker) - before.broker,
        )
        for child, metrics_port in members:
            share = _assigned_partitions(child, metrics_port)
            if share != _PARTITIONS / consumers:
                raise child.failure(f"has {share} partitions of {_PARTITIONS}, with {consumers} consumers")
        asyncio.run(recount.check_store(cluster.url, cluster=True))
    return measured


def _start(run: Run, stack: ExitStack, topic: Topic, cluster: Primaries, number: int) -> tuple[Child, int]:
    group = {"STATS_KAFKA_GROUP_ID": f"bench-{cluster.nodes[0].port}"}
    environment = environment_for(topic.port) | cluster.settings | group
    folder = run.folder / f"consumer-{number}"  # for its log
    folder.mkdir(exist_ok=True)
    child = stack.enter_context(running_module(folder, "consumers", environment))
    return child, int(environment["STATS_METRICS_PORT"])


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


def _row(consumers: int, primaries: int, events: int, passes: list[_Pass]) -> Row:
    def us(seconds: list[float]) -> float:
        return median(seconds) / events * 1e6

    busiest_consumer = us([max(each.consumers) for each in passes])
    busiest_primary = us([max(each.primaries) for each in passes])
    return {
        "measured": f"consumers {consumers}, primaries {primaries}",
        "events": events,
        "consumers_cpu_us_per_event": round(us([sum(each.consumers) for each in passes]), 2),
        "busiest_consumer_cpu_us_per_event": round(busiest_consumer, 2),
        "primaries_cpu_us_per_event": round(us([sum(each.primaries) for each in passes]), 2),
        "busiest_primary_cpu_us_per_event": round(busiest_primary, 2),
        "broker_cpu_us_per_event": round(us([each.broker for each in passes]), 2),
        "events_per_second_here": round(median(events / each.seconds for each in passes)),
        "events_per_second_with_a_core_each": round(1e6 / max(busiest_consumer, busiest_primary)),
    }
