"""Real servers and processes of this project, each stopped where its block ends, and what they have used of a core."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from redis import Redis

from deploy.kafka.jars import find_kafka
from deploy.kafka.server import start_kafka
from deploy.local.plan import Ports, settings
from deploy.local.process import Child, accepts_connections, start_child, wait_ready
from deploy.local.servers import find_broker, find_redis, free_port, start_broker, start_redis
from deploy.maven import MissingPartError

SECRET = "signs the tokens of one measurement"  # noqa: S105 - guards made-up jobs on the loopback address
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(child: Child) -> float:
    """User and system time of all threads of a process so far, to a hundredth of a second (Linux)."""
    fields = Path(f"/proc/{child.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def family_cpu_seconds(child: Child) -> float:
    """The same of a process and all its children, also those that have ended (Linux)."""
    pid = child.process.pid
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile, and its parent has its time
            fields = path.read_text().rpartition(")")[2].split()
            if pid in (int(path.parent.name), int(fields[1])):
                ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS


@dataclass(frozen=True, slots=True)
class Usage:
    """How long threads have run, and how long they were ready to run and waited for a core, in seconds."""

    cpu_seconds: float = 0.0
    waited_seconds: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.cpu_seconds + other.cpu_seconds, self.waited_seconds + other.waited_seconds)

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(self.cpu_seconds - other.cpu_seconds, self.waited_seconds - other.waited_seconds)


def usage(*children: Child, itself: bool = False) -> Usage:
    """What the threads of these processes, and with `itself` of this one, have used so far, to the microsecond (Linux).

    Of the threads that a process has now: Linux does not add up what threads that have ended waited, and what they ran
    is left out as well, so that both are about the same threads. A difference of two calls is too small by what threads
    had used that ended in between; the processes that are measured keep theirs.
    """
    pids = [child.process.pid for child in children] + ([os.getpid()] if itself else [])
    return sum(map(_usage_of, pids), Usage())


def usage_of_all() -> Usage:
    """The same of this process and all that it has started, with what those have started."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    pids = [os.getpid()]
    for pid in pids:  # and those that are added on the way
        pids += [child for child, parent in parents.items() if parent == pid]
    return sum(map(_usage_of, pids), Usage())


def _usage_of(pid: int) -> Usage:
    ran_ns = waited_ns = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
            ran, waited, _ = map(int, path.read_text().split())
            ran_ns, waited_ns = ran_ns + ran, waited_ns + waited
    return Usage(ran_ns / 1e9, waited_ns / 1e9)


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running Redis, and a client of it for the measurement's own questions."""

    child: Child
    port: int
    client: Redis

    @property
    def url(self) -> str:
        """Where the project's clients find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cpu_seconds(self) -> float:
        """User and system time so far, to the microsecond."""
        info = self.client.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def strings(self, keys: list[str]) -> list[bytes | None]:
        """The values of these keys."""
        return cast(list[bytes | None], self.client.mget(keys))

    def used_bytes(self) -> int:
        """All memory that Redis has allocated."""
        return int(self.client.info("memory")["used_memory"])


@contextmanager
def running_broker(folder: Path, port: int) -> Iterator[Child]:
    """An empty broker that keeps its topics in memory."""
    child = start_broker(find_broker(folder.parent / "home"), port, folder / "broker.log")
    with stopping(child):
        yield child


@contextmanager
def running_kafka(folder: Path, say: Callable[[str], None]) -> Iterator[int]:
    """The port of an Apache Kafka, or where there is none of the embedded broker, which takes 20 ms more to hand on."""
    with ExitStack() as stack:
        try:
            program = find_kafka(folder.parent / "kafka")
        except MissingPartError as error:
            say(f"on the embedded broker: {error}")
            port = free_port()
            stack.enter_context(running_broker(folder, port))
        else:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            kafka = asyncio.run(start_kafka(program, data))
            stack.callback(kafka.end)
            port = kafka.nodes[0].port
        yield port


@contextmanager
def running_redis(folder: Path, options: Sequence[str] = (), snapshot: Path | None = None) -> Iterator[RedisServer]:
    """A Redis, empty or with what a snapshot has, which writes nothing to disk unless its options say so."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=folder) as data:
        if snapshot is not None:
            (Path(data) / "dump.rdb").hardlink_to(snapshot)
        child = start_redis(find_redis(), port, Path(data), folder / "redis.log", options)
        with stopping(child), Redis(host="127.0.0.1", port=port, protocol=2) as client:
            yield RedisServer(child, port, client)


@contextmanager
def running_module(
    folder: Path,
    module: str,
    environment: Mapping[str, str],
    arguments: Sequence[str] = (),
    output: BinaryIO | None = None,
) -> Iterator[Child]:
    """`python -m module`, just started; what it prints goes to `output`, or to its log."""
    command = [sys.executable, "-m", module, *arguments]
    with stopping(start_child(module, command, environment, folder / f"{module}.log", stdout=output)) as child:
        yield child


@contextmanager
def running_api(folder: Path, environment: dict[str, str]) -> Iterator[Child]:
    """`python -m service`, which listens: it is ready only once the store has an as-of."""
    port = int(environment["STATS_HTTP_PORT"])
    with running_module(folder, "service", environment) as child:
        yield wait_ready(child, lambda: accepts_connections(port), "listen")


@contextmanager
def stopping(child: Child) -> Iterator[Child]:
    """Stops a child at the end of the block."""
    try:
        yield child
    finally:
        child.stop()


def environment_for(kafka_port: int = 0, redis_port: int = 0) -> dict[str, str]:
    """The settings of the project's processes on these servers, without a rate limit; their own ports are free ones."""
    ports = Ports(kafka=kafka_port, redis=redis_port, api=free_port(), metrics=free_port())
    return {**settings(ports, SECRET), "STATS_RATE_LIMIT": "0"}
