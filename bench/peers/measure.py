"""How fast other ways to do the consumer's work take the same topic: each peer in turn, beside the floor and ours."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from bench.ingest import Figures, Topic, run_floor, run_ours
from bench.peers.recount import PeerRecount
from bench.peers.venvs import interpreter
from bench.publishing import publish
from bench.recount import Recount
from bench.run import Row, Run
from bench.servers import Usage, cpu_seconds, environment_for, running_broker, running_redis, stopping
from bench.streams import DAY, HISTORY, StreamSpec, transitions
from deploy.local.process import Child, start_child
from deploy.local.servers import free_port

_JOIN_SECONDS = 60.0  # frameworks need half of that on the embedded broker
_RESULT_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Peer:
    """A module of this package, the package it needs an environment for, and how many records it takes at most."""

    name: str
    module: str
    package: str | None = None
    most_records: int = sys.maxsize


_PEERS = (
    Peer("loop", "loop", most_records=15_000),
    Peer("pipelined", "pipelined"),
    Peer("script", "script"),
    Peer("Quix Streams", "quix", "quixstreams"),
    Peer("Faust", "faust_agent", "faust-streaming", most_records=60_000),
)


_STREAMS = (replace(HISTORY, jobs=DAY.jobs), DAY)
_GOALS = {"Quix Streams": 7, "Faust": 7, "script": 2}


@dataclass(frozen=True, slots=True)
class _Pass:
    """One peer's way through a topic, or through its first records."""

    events: int
    figures: Figures

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.figures.seconds


def measure(run: Run) -> list[Row]:
    """For both streams a row for the floor, our consumer and each peer."""
    pythons = {peer.name: _python(run, peer) for peer in _PEERS}
    return [row for spec in _STREAMS for row in _measure_stream(run, run.sized(spec), pythons)]


def _python(run: Run, peer: Peer) -> Path:
    if peer.package is None:
        return Path(sys.executable)
    run.say(f"ingest-peers: looking for {peer.package}")
    return interpreter(run.folder.parent / "bench-venvs", peer.package)


def _measure_stream(run: Run, spec: StreamSpec, pythons: dict[str, Path]) -> list[Row]:
    stream = list(transitions(spec))
    recount, peer_recount = Recount(stream), PeerRecount(stream)
    port = free_port()
    with running_broker(run.folder, port) as broker:
        run.say(f"ingest-peers {spec.name}: publishing {len(stream):,} events")
        topic = Topic(broker, port, asyncio.run(publish(f"127.0.0.1:{port}", stream)))
        del stream
        total = topic.published.total
        ways: dict[str, Callable[[], _Pass]] = {
            "floor": lambda: _Pass(total, run_floor(run, topic)),
            "ours": lambda: _Pass(total, run_ours(run, topic, recount)),
        }
        for peer in _PEERS:
            ways[peer.name] = partial(_run_peer, run, topic, peer_recount, peer, pythons[peer.name])
        passes: dict[str, list[_Pass]] = {name: [] for name in ways}
        for turn in range(run.repeats):
            for name, way in ways.items():
                run.say(f"ingest-peers {spec.name}: {name}, pass {turn + 1} of {run.repeats}")
                passes[name].append(way())
    rows = {name: _row(f"{spec.name}: {name}", each, passes["ours"]) for name, each in passes.items()}
    for name, times in _GOALS.items():
        run.reach(f"{spec.name}: ours by {name}", float(rows[name]["ours_is_times_as_fast"]), times)
    return list(rows.values())


def _run_peer(run: Run, topic: Topic, recount: PeerRecount, peer: Peer, python: Path) -> _Pass:
    events = min(run.count(peer.most_records, 1), topic.published.total)
    result_path = run.folder / f"{peer.module}.json"
    result_path.unlink(missing_ok=True)
    with running_redis(run.folder) as redis:
        environment = environment_for(topic.port, redis.port) | {"STATS_KAFKA_GROUP_ID": f"bench-{redis.port}"}
        command = [str(python), "-m", f"bench.peers.{peer.module}", str(events), str(result_path)]
        log_path = run.folder / f"peer.{peer.module}.log"
        broker_cpu, redis_cpu = cpu_seconds(topic.broker), redis.cpu_seconds()
        with stopping(start_child(peer.name, command, environment, log_path)) as child:
            _wait_for_result(child, result_path, _JOIN_SECONDS + topic.deadline_seconds)
            broker_cpu, redis_cpu = cpu_seconds(topic.broker) - broker_cpu, redis.cpu_seconds() - redis_cpu
        result = json.loads(result_path.read_bytes())
        taken = {int(partition): records for partition, records in result["records"].items()}
        recount.check(redis.client, taken)
    return _Pass(
        sum(taken.values()),
        Figures(result["seconds"], Usage(result["cpu_seconds"]), Usage(broker_cpu), Usage(redis_cpu)),
    )


def _wait_for_result(child: Child, path: Path, timeout_seconds: float) -> None:
    deadline = time.perf_counter() + timeout_seconds
    while not path.exists():
        if child.process.poll() is not None and not path.exists():
            raise child.failure("ended without a result")
        if time.perf_counter() > deadline:
            raise child.failure(f"did not take its events in {timeout_seconds:.0f} s")
        time.sleep(_RESULT_POLL_SECONDS)


def _row(measured: str, passes: Sequence[_Pass], ours: Sequence[_Pass]) -> Row:
    def middle_us(seconds: Callable[[Figures], float]) -> float:
        return round(median(seconds(each.figures) / each.events for each in passes) * 1e6, 2)

    return {
        "measured": measured,
        "events": passes[0].events,
        "events_per_second": round(median(each.rate for each in passes)),
        "ours_is_times_as_fast": round(median(our.rate / each.rate for each, our in zip(passes, ours, strict=True)), 2),
        "process_cpu_us_per_event": middle_us(lambda each: each.consumer.cpu_seconds),
        "redis_cpu_us_per_event": middle_us(lambda each: each.redis.cpu_seconds),
    }
