"""A Docker engine of the tests' own. It leaves no network device, no rule and no setting of the kernel behind.

Containers reach each other over networks that Compose makes, and this machine over ports that a process forwards. None
reaches further, so nothing is forwarded by the kernel. Builds use this machine's network.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.process import Child, ChildFailedError, start_child, wait_ready
from deploy.maven import MissingPartError

_NO_TRACES = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
# What the engine's log has where the kernel, or what this process runs in, does not allow an engine.
_REFUSED = ("not permitted", "ermission denied", "needs to be started with root", "Devices cgroup isn't mounted")


class RefusedError(Exception):
    """Says that no engine can run here, though there is one, and why."""


@dataclass(frozen=True)
class Engine:
    """Runs `docker` against the tests' engine."""

    program: str
    child: Child
    host: str

    @property
    def variables(self) -> dict[str, str]:
        """Returns an environment in which Docker's programs find the engine."""
        return {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "1"}

    def docker(self, *arguments: str) -> str:
        """Returns what a command of Docker's prints. Raises AssertionError, with its errors, if it fails."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of Docker's to its end."""
        command = [self.program, *arguments]
        return subprocess.run(  # noqa: S603 - a tool
            command, env=self.variables, check=False, capture_output=True, text=True
        )

    def inspect(self, container: str) -> dict[str, Any]:
        """Returns what the engine knows of a container."""
        (known,) = json.loads(self.docker("inspect", container))
        return dict(known)

    def has_image(self, name: str) -> bool:
        """Returns whether there is an image of this name."""
        return bool(self.docker("images", "--quiet", name))

    def stop(self) -> None:
        """Removes all containers, networks and volumes, and ends the engine. Images stay for the next time."""
        containers = self.docker("ps", "--all", "--quiet").split()
        if containers:
            self.docker("rm", "--force", "--volumes", *containers)
        self.docker("network", "prune", "--force")
        self.docker("volume", "prune", "--force")
        self.child.stop(patience_seconds=60)


def start_engine(data: Path, run: Path) -> Engine:
    """Starts an engine that keeps images in `data`, and what it has while it runs in `run`; waits until it answers.

    Raises MissingPartError if there is no engine, and RefusedError if it may not run here.
    """
    engine = shutil.which("dockerd", path=_path())
    # The distribution's client builds with BuildKit by itself, where others need a plugin for that.
    client = shutil.which("docker", path=f"/usr/bin:{_path()}")
    if engine is None or client is None:
        raise MissingPartError("a Docker engine: no dockerd and docker in the PATH (package docker.io)")
    for folder in (data, run):
        folder.mkdir(parents=True, exist_ok=True)
    host = f"unix://{run / 'docker.sock'}"
    folders = (f"--data-root={data}", f"--exec-root={run / 'exec'}", f"--pidfile={run / 'pid'}", f"--host={host}")
    child = start_child("dockerd", [engine, *folders, *_NO_TRACES], os.environ, run / "log")
    started = Engine(client, child, host)
    try:
        wait_ready(child, lambda: started.run("version").returncode == 0, "answer", timeout_seconds=90)
    except ChildFailedError as error:
        if any(words in child.log_path.read_text() for words in _REFUSED):
            raise RefusedError(_last_line(child.log_path.read_text().splitlines())) from error
        raise
    return started


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _last_line(lines: Sequence[str]) -> str:
    return lines[-1] if lines else "it said nothing"
