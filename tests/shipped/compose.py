"""compose.yaml on the tests' engine, with images for its servers that are made of the distribution's packages."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.servers import free_port
from deploy.local.tokens import sign_token
from tests.shipped.engine import Engine
from tests.shipped.images import BASE, PROJECT, SERVICE

NAME = "stats-tests"
_HISTORY = f"{NAME}-history"
_COMPOSE = str(Path(sys.executable).with_name("docker-compose"))
_DOCKERFILE = PROJECT / "tests" / "shipped" / "servers.Dockerfile"


@dataclass(frozen=True)
class Compose:
    """Runs `docker compose` on the project's compose.yaml, with free ports of this machine."""

    engine: Engine
    api_port: int
    prometheus_port: int
    kafka_port: int

    @property
    def variables(self) -> dict[str, str]:
        """Returns the environment of Docker Compose."""
        ports = {"API_PORT": self.api_port, "PROMETHEUS_PORT": self.prometheus_port, "KAFKA_PORT": self.kafka_port}
        return self.engine.variables | {name: str(port) for name, port in ports.items()}

    def command(self, *arguments: str) -> list[str]:
        """Returns the command line of `docker compose` with these arguments."""
        return [_COMPOSE, "--project-directory", str(PROJECT), "--project-name", NAME, *arguments]

    def run(self, *arguments: str) -> str:
        """Returns what a command prints. Raises AssertionError, with its errors, if it fails."""
        done = subprocess.run(  # noqa: S603 - a tool
            self.command(*arguments), env=self.variables, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def up(self, *arguments: str) -> None:
        """Starts all services, and waits until they are healthy."""
        self.run("up", "--detach", "--no-build", "--wait", *arguments)

    def containers(self, service: str) -> list[str]:
        """Returns the ids of a service's containers, also of those that have ended."""
        return self.run("ps", "--all", "--quiet", service).split()

    def sign(self, project_id: str) -> str:
        """Returns a token of an administrator, signed with the secret of compose.yaml."""
        configuration = json.loads(self.run("--profile=token", "config", "--format=json"))
        secret = configuration["services"]["token"]["environment"]["STATS_JWT_SECRET"]
        person = {"user_id": "administrator", "name": "administrator", "role": "te_admin"}
        return sign_token(secret, project_id=project_id, now_seconds=int(time.time()), **person)

    def statistics(self, project_id: str, token: str) -> dict[str, Any]:
        """Returns the API's answer for all time."""
        url = f"http://127.0.0.1:{self.api_port}/v2.0/{project_id}/gene/statistics"
        return get(urllib.request.Request(url, headers={"X-Auth-Token": token}))

    def prometheus(self, path: str) -> dict[str, Any]:
        """Returns what Prometheus answers."""
        answer = get(urllib.request.Request(f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}"))
        return dict(answer["data"])

    @asynccontextmanager
    async def history(self) -> AsyncIterator[dict[str, dict[str, int]]]:
        """Publishes the history of sample traffic; yields what each project's totals must be. No more is published."""
        process = await asyncio.create_subprocess_exec(
            *self.command("--profile", "traffic", "run", "--name", _HISTORY, "--no-TTY", "traffic"),
            env=self.variables,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=1 << 20,
        )
        assert process.stdout is not None
        totals: dict[str, dict[str, int]] = {}
        async for line in process.stdout:
            progress = json.loads(line)
            if progress["phase"] == "complete":
                totals = progress["totals"]
                break
        try:
            yield totals
        finally:
            self.engine.docker("rm", "--force", _HISTORY)
            await process.communicate()


def get(request: urllib.request.Request) -> dict[str, Any]:
    """Returns the JSON object that a server answers with. Raises URLError."""
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - http
        return dict(json.load(answer))


def build_servers(engine: Engine, kafka_jars: Path) -> None:
    """Builds the images that compose.yaml names, under these names."""
    engine.docker("tag", SERVICE, "gene-job-statistics:latest")
    contexts = {
        "redis:8": _DOCKERFILE.parent,
        "prom/prometheus:v2.53.3": _DOCKERFILE.parent,
        "apache/kafka:4.3.1": kafka_jars,
    }
    common = ("build", "--network=host", f"--file={_DOCKERFILE}", f"--build-arg=BASE={BASE}")

    def build(name: str) -> None:
        target = name.partition(":")[0].rpartition("/")[2]
        engine.docker(*common, f"--target={target}", f"--tag={name}", f"{contexts[name].resolve()}/")

    with ThreadPoolExecutor() as threads:
        list(threads.map(build, contexts))


def choose(engine: Engine) -> Compose:
    """Returns Compose for an engine, with ports that are free."""
    return Compose(engine, free_port(), free_port(), free_port())
