"""A topic, the system over it, and what receives its traces."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local.servers import create_topics
from deploy.maven import MissingPartError
from tests.conftest import require_part
from tests.servers import Processes, settings_over
from tests.tracing.instrumentation import find_instrumented_python
from tests.tracing.receiver import Receiver, receiving


@pytest.fixture
async def topic(kafka_bootstrap: str) -> str:
    """An empty topic of events, and one of dead letters beside it."""
    name = f"events-{uuid.uuid4().hex}"
    await create_topics(kafka_bootstrap, {name: 2, f"{name}.dead-letters": 1})
    return name


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of traces that has nothing yet."""
    async with receiving() as started:
        yield started


@pytest.fixture
def environment(kafka_bootstrap: str, redis_flushed: str, topic: str) -> dict[str, str]:
    """Settings of processes over an empty topic and an empty Redis."""
    return settings_over(kafka_bootstrap, topic, redis_flushed)


@pytest.fixture(scope="session")
def instrumented_python(pytestconfig: pytest.Config) -> list[str]:
    """Python under OpenTelemetry's agent. Without it a test is skipped; with STATS_TEST_ALL_PARTS set it fails."""
    try:
        return find_instrumented_python(pytestconfig.rootpath / ".local" / "instrumented")
    except MissingPartError as error:
        require_part(False, str(error))
        raise


@pytest.fixture
def instrumented(tmp_path: Path, instrumented_python: list[str]) -> Iterator[Processes]:
    """Starts processes of this service under OpenTelemetry's agent, for one test."""
    started = Processes(tmp_path, instrumented_python)
    yield started
    started.stop_all()
