"""Every kind of answer that the API gives is in its description: status, headers, type and body."""

from collections.abc import AsyncIterator

import pytest

from service.api.openapi.document import describe
from service.api.rate_limit import RateLimit
from service.http.errors import CATALOGUE
from service.http.policy import HttpPolicy
from service.store.errors import StoreUnavailableError
from tests.api.described import Described
from tests.api.support import PATH, PROJECT, Api, FakeStore, as_caller, served

STATISTICS = "/v2.0/{project_id}/gene/statistics"
TIME_SERIES = f"{STATISTICS}/timeseries"
ORIGIN = "https://console.example"
DESCRIPTION = describe(RateLimit(1))
STREAM = f"{STATISTICS}/stream"
OPEN_PATHS = sorted(path for path, methods in DESCRIPTION["paths"].items() if not methods["get"]["security"])


@pytest.fixture
async def limited() -> AsyncIterator[Api]:
    """The API with a limit of two requests at once, which pages of one origin may read."""
    async with served(
        FakeStore(users=100, horizon_ms=1_500_000_000_000, gaps=2),
        per_second=1,
        policy=HttpPolicy(cors_origins=frozenset({ORIGIN})),
    ) as api:
        yield api


@pytest.fixture
def described() -> Described:
    """What the answers of that API are compared with."""
    return Described(DESCRIPTION)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("origin", [{}, {"Origin": ORIGIN}], ids=["no origin", "origin"])
@pytest.mark.parametrize("resource", [STATISTICS, TIME_SERIES])
async def test_resources_of_a_project(
    limited: Api, described: Described, method: str, origin: dict[str, str], resource: str
) -> None:
    """All that a caller may get of the statistics, but for what only faults of ours would bring."""
    seen: set[int] = set()
    real_path = resource.replace("{project_id}", PROJECT)
    good = "?start=1500000000000&end=1500000000001" if resource == TIME_SERIES else ""

    async def ask(path: str = real_path, query: str = good, **headers: str) -> str:
        limited.clock.now_seconds += 10  # the limit is for its own case alone
        async with limited.client.request(method, path + query, headers={**origin, **headers}) as response:
            await described.check(resource, response)
            seen.add(response.status)
            return response.headers.get("ETag", "")

    tag = await ask(**as_caller())
    await ask(**as_caller(roles=[]))
    await ask(**as_caller(), **{"If-None-Match": tag})
    tag = await ask(**as_caller(), Accept="text/csv")
    await ask(**as_caller(), Accept="text/csv", **{"If-None-Match": tag})
    await ask(query="?start=x", **as_caller(), **{"X-Language": "zh-cn"})
    await ask(query="?START=1", **as_caller())
    await ask()
    await ask(path=real_path.replace("e9", "f9"), **as_caller())
    await ask(path=real_path.replace("e9", "."), **as_caller())
    limited.store.error = StoreUnavailableError("refused")
    await ask(**as_caller())
    limited.store.error = RuntimeError("a fault")
    await ask(**as_caller())
    limited.clock.now_seconds -= 20
    await ask(**as_caller())
    assert seen == {200, 304, *(kind.status for kind in CATALOGUE)} - {405}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_stream(described: Described, method: str) -> None:
    """A stream that ends at once, as its process stops; and one that is refused for that."""
    lossy = FakeStore(horizon_ms=1_500_000_000_000, gaps=2)
    async with served(lossy, policy=HttpPolicy(cors_origins=frozenset({ORIGIN}))) as api:
        async with api.client.request(method, f"{PATH}/stream", headers=as_caller()) as response:
            api.draining.set()
            assert response.status == 200
            await described.check(STREAM, response)
        async with api.client.request(method, f"{PATH}/stream", headers=as_caller()) as response:
            assert response.status == 503
            await described.check(STREAM, response)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_caller(limited: Api, described: Described, method: str) -> None:
    """All that a caller may get to hear of itself."""
    seen: list[int] = []

    async def ask(query: str = "", **headers: str) -> None:
        async with limited.client.request(method, f"/console/caller{query}", headers=headers) as response:
            await described.check("/console/caller", response)
            seen.append(response.status)

    await ask()
    await ask(**as_caller(project_id=7))
    await ask("?a=1", **as_caller())
    await ask(**as_caller(name=None))
    await ask(**as_caller())
    assert seen == [401, 401, 400, 200, 429]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", OPEN_PATHS)
async def test_open_paths(limited: Api, described: Described, method: str, path: str) -> None:
    """What needs no token: as it is, and again with its tag where it has one."""
    async with limited.client.request(method, path) as response:
        await described.check(path, response)
        assert response.status == 200
        tag = response.headers.get("ETag")
    has_tag = "304" in DESCRIPTION["paths"][path]["get"]["responses"]
    assert (tag is not None) == has_tag
    if tag is not None:
        async with limited.client.request(method, path, headers={"If-None-Match": tag}) as response:
            await described.check(path, response)
            assert response.status == 304


async def test_not_ready(limited: Api, described: Described) -> None:
    """A process that is not ready."""
    limited.store.error = StoreUnavailableError("refused")
    async with limited.client.get("/readyz") as response:
        await described.check("/readyz", response)
        assert response.status == 503


async def test_other_methods(limited: Api) -> None:
    """Every method but the described ones is refused on every path, with those that are there."""
    for path, methods in DESCRIPTION["paths"].items():
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            async with limited.client.request(method, path.replace("{project_id}", "p")) as response:
                assert response.status == 405
                assert set(response.headers["Allow"].lower().replace(" ", "").split(",")) == set(methods)
                assert response.headers.keys() >= {"X-Request-Id", "Content-Language"}


async def test_compressed(described: Described) -> None:
    """Of a large body the encoding is described as well."""
    async with (
        served(FakeStore(users=200)) as api,
        api.client.get(PATH, headers={**as_caller(), "Accept-Encoding": "gzip"}) as response,
    ):
        assert response.headers["Content-Encoding"] == "gzip"
        await described.check(STATISTICS, response)
