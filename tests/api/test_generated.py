"""What others make of the API's description: requests by Schemathesis, and a client in Java by OpenAPI Generator."""

import re
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from deploy.local.servers import free_port
from deploy.maven import MissingPartError
from service.api.openapi.document import describe
from service.api.rate_limit import RateLimit
from service.events.event import MAX_SIZE_BYTES
from tests.api.generated_client import Java, find_generator, output_of
from tests.api.support import PROJECT, SECRET, token
from tests.conftest import require_part
from tests.servers import PROJECT as REPOSITORY
from tests.servers import Processes
from tests.store.support import NOON_MS, Store, event

# More than 32 bits hold, and than a double holds exactly.
INPUT_SIZE_BYTES = 2**62 + 1
_WHOLE, _REST_BYTES = divmod(INPUT_SIZE_BYTES, MAX_SIZE_BYTES)
JOBS = _WHOLE + 1


@pytest.fixture
async def live_url(redis_flushed: str, processes: Processes) -> str:
    """The address of `python -m service`, over a Redis with jobs of one user whose inputs have that many bytes."""
    sizes = [*[MAX_SIZE_BYTES] * _WHOLE, _REST_BYTES]
    jobs = [event(job, project_id=PROJECT, input_size_bytes=size) for job, size in enumerate(sizes)]
    async with Redis.from_url(redis_flushed) as client:
        await Store(client).apply(jobs, watermark_ms=NOON_MS)
    port = free_port()
    environment = {
        "STATS_REDIS_URL": redis_flushed,
        "STATS_HTTP_PORT": str(port),
        "STATS_JWT_SECRET": SECRET,
        "STATS_RATE_LIMIT": "100000",  # described, and not reached
    }
    await processes.start_ready("service", environment, port)
    return f"http://127.0.0.1:{port}"


async def test_schemathesis_finds_nothing(live_url: str, tmp_path: Path) -> None:
    """Requests that the description allows, and such that it does not: each answer is one that it has."""
    program = [sys.executable, "-m", "schemathesis.cli"]
    settings = ["--config-file", str(Path(__file__).parent / "schemathesis.toml")]
    said = await output_of(
        [*program, *settings, "run", f"{live_url}/openapi.json"],
        tmp_path,  # where it keeps what it has found
        {"STATS_TEST_TOKEN": token(), "STATS_TEST_PROJECT": PROJECT, "PYTHONPATH": str(REPOSITORY)},
    )
    described = describe(RateLimit(1))["paths"].values()
    asked = sum(len(operations) for operations in described) - 2  # all but the description itself, and the stream
    assert "No issues found" in said
    assert f"{asked} selected / " in said, re.findall(r"\d+ selected / \d+ total", said)


@pytest.fixture(scope="session")
def java(pytestconfig: pytest.Config) -> Java:
    """A Java. Without it or its jars a test is skipped; with STATS_TEST_ALL_PARTS set, as in CI, it fails."""
    try:
        return find_generator(pytestconfig.rootpath / ".local" / "java-client")
    except MissingPartError as error:
        require_part(False, str(error))
        raise


@pytest.mark.timeout(300)  # the first time its jars are fetched
async def test_client_in_java_reads_large_numbers(java: Java, live_url: str, tmp_path: Path) -> None:
    """An administrator's answer, a sub-user's and an error, by a client that is made of what the service serves."""
    await java.make_client(f"{live_url}/openapi.json", tmp_path)
    tokens = [token(), token(sub="user", roles=[]), "no token"]
    assert await java.ask(tmp_path, live_url, PROJECT, *tokens) == [
        f"{JOBS} {INPUT_SIZE_BYTES} [name={INPUT_SIZE_BYTES}] {NOON_MS}",
        f"{JOBS} {INPUT_SIZE_BYTES} [] {NOON_MS}",
        "401 DLI.0013 令牌缺失、已过期、已被吊销或无效。",
    ]
