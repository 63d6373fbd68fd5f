"""The image, run as an operator should run it: no rights, nothing writable, no network that it does not need."""

import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.local.waiting import eventually
from tests.shipped.engine import Engine

pytestmark = pytest.mark.timeout(600)  # the image is built first
API, CONSUMER = "gene-statistics-api", "gene-statistics-consumer"
_HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
_SECRET = "--env=STATS_JWT_SECRET=a secret of tests that is long enough"
_OFTEN = ("--health-interval=1s", "--health-timeout=2s", "--health-retries=1", "--health-start-period=0s")


@contextlib.contextmanager
def running(engine: Engine, image: str, *program: str) -> Iterator[str]:
    """Runs a program in a container for a while, and yields the container's name. Without one it is the image's own."""
    name = f"tests-{uuid.uuid4().hex[:8]}"
    engine.docker("run", "--detach", f"--name={name}", *_HARDENED, _SECRET, *_OFTEN, image, *program)
    try:
        yield name
    finally:
        engine.docker("rm", "--force", name)


def state(engine: Engine, container: str) -> dict[str, Any]:
    """Returns the state of a container, with its health."""
    return dict(engine.inspect(container)["State"])


async def until_health_is(engine: Engine, container: str, health: str) -> None:
    """Waits until the engine has found a container to be healthy, or not."""
    await eventually(lambda: state(engine, container)["Health"]["Status"] == health, f"{container} is {health}", 60)


@pytest.mark.parametrize("program", [[], [CONSUMER]], ids=["API", "consumer"])
async def test_a_process_has_no_rights_is_healthy_and_ends_when_told(
    engine: Engine, image: str, program: list[str]
) -> None:
    """It is alive without its servers, as PID 1 it takes SIGTERM, and it ends with 0."""
    with running(engine, image, *program) as container:
        await until_health_is(engine, container, "healthy")
        status = dict(
            line.split(":", 1) for line in engine.docker("exec", container, "cat", "/proc/1/status").splitlines()
        )
        assert status["Uid"].split() == status["Gid"].split() == ["10001"] * 4
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"].strip() == "1"
        assert engine.run("exec", container, "sh", "-c", "echo >/tmp/file").returncode != 0
        engine.docker("stop", "--time=30", container)
        assert state(engine, container)["ExitCode"] == 0, engine.run("logs", container).stderr


async def test_a_process_that_hangs_is_not_healthy(engine: Engine, image: str) -> None:
    """The check asks the process, so it notices when there is no answer."""
    with running(engine, image, API) as container:
        await until_health_is(engine, container, "healthy")
        engine.docker("kill", "--signal=STOP", container)
        await until_health_is(engine, container, "unhealthy")


@pytest.mark.parametrize("program", [API, CONSUMER])
def test_a_wrong_setting(engine: Engine, image: str, program: str) -> None:
    """A container ends as its program does."""
    ended = engine.run("run", "--rm", *_HARDENED, _SECRET, "--env=STATS_LOG_LEVEL=LOUD", image, program)
    assert ended.returncode == 2
    assert ended.stderr == "STATS_LOG_LEVEL: not valid; allowed: DEBUG, INFO, WARNING, ERROR or CRITICAL\n"


def test_what_is_in_it(engine: Engine, image: str) -> None:
    """What built it is not in its environment, nor is what only the checkout has; nobody but root may change a file."""
    program = """
import importlib.util, json, os, pathlib, sys
absent = ["bench", "deploy", "hatchling", "pip", "tests"]
files = [path for path in pathlib.Path(sys.prefix).rglob("*") if not path.is_symlink()]
print(json.dumps({
    "present": [name for name in absent if importlib.util.find_spec(name)],
    "writable": [str(path) for path in files if os.access(path, os.W_OK)],
    "build": os.path.exists("/build"),
}))
"""
    printed = engine.docker("run", "--rm", "--network=none", image, "python", "-c", program)
    assert json.loads(printed) == {"present": [], "writable": [], "build": False}


def test_labels(engine: Engine, image: str) -> None:
    """Labels say what it is, from what, and under which license."""
    labels = engine.inspect(image)["Config"]["Labels"]
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}licenses"] == "Apache-2.0"
    assert labels[f"{prefix}revision"] == "tests"
    assert labels[f"{prefix}base.name"] == "tests/python:3.13"
