"""Real servers for the tests, started once a session, and what isolates one test from the next."""

import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from redis import Redis

from deploy.local.servers import create_topics, find_broker, free_port, start_broker, start_redis
from tests.servers import Processes, redis_program, start_one_node_cluster

MakeTopic = Callable[..., Awaitable[str]]

hypothesis_settings.register_profile(
    "project",
    deadline=None,  # real servers take the time they take
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("project")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "whole_stack: starts everything at once; runs after all other tests")


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
def kafka_bootstrap(servers_folder: Path, pytestconfig: pytest.Config) -> Iterator[str]:
    """The embedded broker's address."""
    port = free_port()
    program = find_broker(pytestconfig.rootpath / ".local" / "home")
    child = start_broker(program, port, servers_folder / "broker.log")
    yield f"127.0.0.1:{port}"
    child.stop()


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
