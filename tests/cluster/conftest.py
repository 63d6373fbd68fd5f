"""A Redis Cluster of three primaries with a replica each, of each kind of server, for the session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require_part
from tests.redis_cluster import ThreePrimaries, empty_cluster
from tests.servers import redis_programs

KINDS = ("usual", "redis-8", "valkey")


@pytest.fixture(scope="session", params=KINDS)
def kept_cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[ThreePrimaries]:
    """The cluster of one kind of server. A test that changes it puts it right again."""
    programs = redis_programs(pytestconfig.rootpath)
    require_part(request.param in programs, f"{request.param}: see tests/get-servers")
    folder: Path = tmp_path_factory.mktemp(request.param)
    cluster = ThreePrimaries(programs[request.param], folder)
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(kept_cluster: ThreePrimaries) -> ThreePrimaries:
    """The cluster, emptied."""
    empty_cluster(kept_cluster.url)
    return kept_cluster
