"""Chooses what the local stack runs on: its folder, its ports, and the settings that it gives its children."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.servers import free_port

TOPIC = "gene-job-events"
DEAD_LETTER_TOPIC = f"{TOPIC}.dead-letters"
PARTITIONS = 4
# Settings that the caller's environment may give; all others are the stack's own.
INHERITED_SETTINGS = {"STATS_LOG_LEVEL", "STATS_RATE_LIMIT"}


@dataclass(frozen=True)
class Folder:
    """Names the paths in the folder that holds everything the stack writes."""

    root: Path

    @property
    def home(self) -> Path:
        """Returns the HOME of programs that unpack themselves there."""
        return self.root / "home"

    @property
    def redis(self) -> Path:
        """Returns the folder with the data of Redis."""
        return self.root / "redis"

    @property
    def secret(self) -> Path:
        """Returns the file with the secret that signs tokens."""
        return self.root / "jwt-secret"

    @property
    def lock(self) -> Path:
        """Returns the file that is locked while a stack runs in this folder."""
        return self.root / "lock"

    @property
    def progress(self) -> Path:
        """Returns the file that the traffic generator reports its progress to."""
        return self.root / "logs" / "traffic.progress"

    def log(self, name: str) -> Path:
        """Returns the log file of one child."""
        return self.root / "logs" / f"{name}.log"


@dataclass(frozen=True)
class Ports:
    """Holds one TCP port of the loopback address for each server."""

    kafka: int
    redis: int
    api: int
    metrics: int

    @property
    def bootstrap_servers(self) -> str:
        """Returns the broker's address."""
        return f"127.0.0.1:{self.kafka}"


PREFERRED_PORTS = Ports(kafka=9092, redis=6379, api=8080, metrics=9464)


def choose_ports() -> Ports:
    """Returns the preferred ports, or for each that is taken the next free one."""
    return Ports(
        kafka=free_port(PREFERRED_PORTS.kafka),
        redis=free_port(PREFERRED_PORTS.redis),
        api=free_port(PREFERRED_PORTS.api),
        metrics=free_port(PREFERRED_PORTS.metrics),
    )


def command_settings(ports: Ports) -> dict[str, str]:
    """Returns the settings that the commands of `python -m consumers` need to find the stack."""
    return {
        "STATS_KAFKA_BOOTSTRAP_SERVERS": ports.bootstrap_servers,
        "STATS_REDIS_URL": f"redis://127.0.0.1:{ports.redis}/0",
    }


def settings(ports: Ports, secret: str, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Returns the environment of consumer, API and traffic: the caller's, with the stack's settings."""
    kept = {
        name: value for name, value in inherited.items() if not name.startswith("STATS_") or name in INHERITED_SETTINGS
    }
    return {
        **kept,
        **command_settings(ports),
        "STATS_KAFKA_TOPIC": TOPIC,
        "STATS_KAFKA_DEAD_LETTER_TOPIC": DEAD_LETTER_TOPIC,
        "STATS_HTTP_HOST": "127.0.0.1",
        "STATS_HTTP_PORT": str(ports.api),
        "STATS_METRICS_PORT": str(ports.metrics),
        "STATS_AUTH": "jwt",
        "STATS_JWT_SECRET": secret,
    }
