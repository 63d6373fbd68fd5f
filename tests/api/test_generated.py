"""What others make of the API's description: requests by Schemathesis, and a client in Java by OpenAPI Generator."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from deploy.local.servers import free_port
from deploy.maven import MissingPartError, find_jars, find_java
from service.events.event import MAX_SIZE_BYTES
from tests.api.support import PROJECT, SECRET, token
from tests.conftest import require_part
from tests.servers import PROJECT as REPOSITORY
from tests.servers import Processes
from tests.store.support import NOON_MS, Store, event

# More than a double holds, and more than 32 bits hold by far.
INPUT_SIZE_BYTES = 2**62


async def fill(redis_url: str) -> None:
    """Puts jobs of one user into the store, whose inputs have that many bytes in all."""
    whole, rest = divmod(INPUT_SIZE_BYTES, MAX_SIZE_BYTES)
    sizes = [*[MAX_SIZE_BYTES] * whole, rest]
    jobs = [event(job, project_id=PROJECT, input_size_bytes=size) for job, size in enumerate(sizes)]
    async with Redis.from_url(redis_url) as client:
        await Store(client).apply(jobs, watermark_ms=NOON_MS)


@pytest.fixture
async def live_url(redis_flushed: str, processes: Processes) -> str:
    """The address of `python -m service` over a Redis with jobs."""
    await fill(redis_flushed)
    port = free_port()
    environment = {
        "STATS_REDIS_URL": redis_flushed,
        "STATS_HTTP_PORT": str(port),
        "STATS_JWT_SECRET": SECRET,
        "STATS_RATE_LIMIT": "100000",  # described, and not reached
    }
    await processes.start_ready("service", environment, port)
    return f"http://127.0.0.1:{port}"


async def output_of(command: list[str], variables: Mapping[str, str]) -> str:
    """What a program says; fails with it if the program does."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    return said


async def test_schemathesis_finds_nothing(live_url: str) -> None:
    """Requests that the description allows, and such that it does not: each answer is one that it has."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "tests/api/schemathesis.toml", "run"]
    said = await output_of(
        [*command, f"{live_url}/openapi.json"],
        {"STATS_TEST_TOKEN": token(), "STATS_TEST_PROJECT": PROJECT, "PYTHONPATH": str(REPOSITORY)},
    )
    assert "13 selected / 13 total" in said


@dataclass(frozen=True)
class Java:
    """A Java, and the jars that make a client and run it."""

    program: str
    jars: Path

    async def run(self, *arguments: str) -> str:
        """What a Java program says."""
        # None of these programs runs long enough for the better of the two compilers.
        return await output_of([self.program, "-XX:TieredStopAtLevel=1", *arguments], {})

    def class_path(self, *folders: Path) -> str:
        """These folders, and what a generated client needs; the generator has classes of its own in its jar."""
        jars = [path for path in sorted(self.jars.glob("*.jar")) if not path.name.startswith(("ecj", "openapi-gen"))]
        return os.pathsep.join(map(str, (*folders, *jars)))

    def jar(self, name: str) -> str:
        """The jar of a program."""
        (path,) = self.jars.glob(f"{name}-*.jar")
        return str(path)


@pytest.fixture(scope="session")
def java(pytestconfig: pytest.Config) -> Java:
    """A Java. Without it or its jars a test is skipped; with STATS_TEST_ALL_PARTS set, as in CI, it fails."""
    wanted_by = "A client in Java"
    try:
        pom = Path(__file__).parent / "java" / "pom.xml"
        return Java(find_java(wanted_by), find_jars(pom, pytestconfig.rootpath / ".local" / "java-client", wanted_by))
    except MissingPartError as error:
        require_part(False, str(error))
        raise


@pytest.mark.timeout(300)  # the first time its jars are fetched
async def test_client_in_java_reads_large_numbers(java: Java, live_url: str, tmp_path: Path) -> None:
    """An administrator's answer, a sub-user's and an error, by a client that is made of what the service serves."""
    generated, classes = tmp_path / "generated", tmp_path / "classes"
    options = "library=native,useJakartaEe=true,useSingleRequestParameter=true"
    parts = "apis,models,supportingFiles,apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"
    generate = ["-jar", java.jar("openapi-generator-cli"), "generate", "--generator-name", "java"]
    generate += ["--input-spec", f"{live_url}/openapi.json", "--output", str(generated), "--global-property", parts]
    await java.run(*generate, "--additional-properties", options)
    sources = [str(generated / "src" / "main" / "java"), str(Path(__file__).parent / "java" / "Ask.java")]
    await java.run(
        "-jar", java.jar("ecj"), "-17", "-nowarn", "-proc:none", "-cp", java.class_path(), "-d", str(classes), *sources
    )
    tokens = [token(), token(sub="user", roles=[]), "no token"]
    ask = ["-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-cp", java.class_path(classes), "Ask"]
    said = await java.run(*ask, live_url, PROJECT, *tokens)
    jobs = INPUT_SIZE_BYTES // MAX_SIZE_BYTES + 1
    assert said.splitlines() == [
        f"{jobs} {INPUT_SIZE_BYTES} [name={INPUT_SIZE_BYTES}] {NOON_MS}",
        f"{jobs} {INPUT_SIZE_BYTES} [] {NOON_MS}",
        "401 DLI.0013 令牌缺失、已过期、已被吊销或无效。",
    ]
