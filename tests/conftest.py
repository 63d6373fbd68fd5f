"""Real servers for the tests, started once a session, and what isolates one test from the next."""

import os
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from coverage import Coverage
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from playwright.async_api import Browser
from redis import Redis

from consumers.dead_letters.queue import create_producer
from deploy.kafka.jars import KafkaProgram, find_kafka
from deploy.kafka.server import KafkaServers, start_kafka
from deploy.local.servers import create_topics, find_broker, free_port, start_broker, start_redis
from deploy.maven import MissingPartError
from tests import browser as real_browser
from tests import deadlines
from tests.coverage_of_some import CoverageOfSome
from tests.redis_cluster import ThreePrimaries, empty_cluster
from tests.servers import Processes, redis_program, start_one_node_cluster

# so that a failure shows the question and both answers
pytest.register_assert_rewrite("tests.end_to_end.checks", "tests.chaos", "tests.console")

MakeTopic = Callable[..., Awaitable[str]]

hypothesis_settings.register_profile(
    "project",
    deadline=None,  # real servers take the time they take
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
hypothesis_settings.register_profile("check", hypothesis_settings.get_profile("project"), max_examples=20)
hypothesis_settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos", "faults (tests/chaos, tests/faults)")
    group.addoption("--chaos-minutes", type=float, default=0.75, help="how long faults go on")
    group.addoption("--many-jobs", type=int, default=20_000, help="how many jobs a user with many has")
    group.addoption("--chaos-seed", type=int, default=random.randrange(10**6), help="repeats a run's choices")
    console = parser.getgroup("console", "the page (tests/console)")
    console.addoption("--write-screenshots", action="store_true", help="makes the pictures of the README anew")


def pytest_report_header(config: pytest.Config) -> str:
    return f"chaos: --chaos-seed={config.getoption('--chaos-seed')}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "whole_stack: starts everything at once; runs after all other tests")
    config.pluginmanager.register(deadlines)
    coverage = Coverage.current()
    if coverage is not None:
        config.pluginmanager.register(CoverageOfSome(coverage, config.rootpath / "tests"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("whole_stack") is not None)


@pytest.fixture(scope="session")
def servers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session's servers keep their data and logs."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def redis_url(servers_folder: Path) -> Iterator[str]:
    """A Redis that stands alone."""
    port = free_port()
    folder = servers_folder / "redis"
    child = start_redis(redis_program(), port, folder, servers_folder / "redis.log")
    yield f"redis://127.0.0.1:{port}/0"
    child.stop()


@pytest.fixture
def redis_flushed(redis_url: str) -> str:
    """The Redis that stands alone, emptied: keys and scripts."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
        client.script_flush()
    return redis_url


@pytest.fixture(scope="session")
def redis_cluster_url(servers_folder: Path) -> Iterator[str]:
    """A Redis Cluster of one node."""
    port = free_port()
    child = start_one_node_cluster(redis_program(), port, servers_folder / "cluster")
    yield f"redis://127.0.0.1:{port}/0"
    child.stop()


@pytest.fixture(scope="session")
def three_primaries(servers_folder: Path) -> Iterator[ThreePrimaries]:
    """A Redis Cluster of three primaries with a replica each. A test that changes it puts it right again."""
    folder = servers_folder / "three-primaries"
    folder.mkdir()
    cluster = ThreePrimaries(redis_program(), folder)
    yield cluster
    cluster.stop()


@pytest.fixture(params=["one primary", "three primaries"])
def any_cluster_url(request: pytest.FixtureRequest) -> str:
    """A Redis Cluster, emptied: of one primary, and of three."""
    if request.param == "one primary":
        url = str(request.getfixturevalue("redis_cluster_url"))
    else:
        url = request.getfixturevalue("three_primaries").url
    empty_cluster(url)
    return url


@pytest.fixture(scope="session")
def kafka_bootstrap(servers_folder: Path, pytestconfig: pytest.Config) -> Iterator[str]:
    """The embedded broker's address."""
    port = free_port()
    program = find_broker(pytestconfig.rootpath / ".local" / "home")
    child = start_broker(program, port, servers_folder / "broker.log")
    yield f"127.0.0.1:{port}"
    child.stop()


def require_part(is_there: bool, what: str) -> None:
    """Skips a test for which a part is missing; with STATS_TEST_ALL_PARTS set, as in CI, it fails."""
    if not is_there:
        if os.environ.get("STATS_TEST_ALL_PARTS"):
            pytest.fail(f"missing: {what}")
        pytest.skip(f"missing: {what}")


@pytest.fixture(scope="session")
def kafka_program(pytestconfig: pytest.Config) -> KafkaProgram:
    """Apache Kafka. Without it a test is skipped; with STATS_TEST_ALL_PARTS set, as in CI, it fails."""
    try:
        return find_kafka(pytestconfig.rootpath / ".local" / "kafka")
    except MissingPartError as error:
        require_part(False, str(error))
        raise


@pytest.fixture(scope="session")
async def kafka(kafka_program: KafkaProgram, servers_folder: Path) -> AsyncIterator[KafkaServers]:
    """Apache Kafka of one node. A test that makes it fail puts it right again."""
    servers = await start_kafka(kafka_program, servers_folder / "kafka")
    yield servers
    servers.end()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A real browser."""
    program = real_browser.find_browser()
    require_part(program is not None, "a browser: chromium in the PATH")
    assert program is not None
    async with real_browser.started(program) as started:
        yield started


@pytest.fixture
def make_topic(kafka_bootstrap: str) -> MakeTopic:
    """Creates a topic with a name of its own: `await make_topic(partitions=4) -> name`."""

    async def make(partitions: int = 4) -> str:
        name = f"topic-{uuid.uuid4().hex}"
        await create_topics(kafka_bootstrap, {name: partitions})
        return name

    return make


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts `python -m service` and `python -m consumers` for one test."""
    started = Processes(tmp_path)
    yield started
    started.stop_all()


@pytest.fixture
async def producer(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of dead letters on the everyday broker."""
    started = create_producer(kafka_bootstrap)
    await started.start()
    yield started
    await started.stop()
