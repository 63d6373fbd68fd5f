"""Health, readiness and metrics."""
# ruff: noqa: RUF001 - Chinese has punctuation of its own

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.http.policy import HttpPolicy
from service.store.errors import LayoutError, StoreUnavailableError
from tests.api.support import (
    AS_OF_MS,
    PATH,
    Api,
    AwayAuthenticator,
    FakeStore,
    as_caller,
    ask,
    exchange,
    served,
    token,
)
from tests.docs import PROJECT as REPOSITORY


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_all_well_is_200(api: Api, path: str) -> None:
    """With everything there both probes say so, in JSON."""
    async with api.client.get(path) as response:
        assert response.status == 200
        assert "status" in await response.json()


@pytest.mark.parametrize("error", [StoreUnavailableError("refused"), LayoutError("layout 1 instead of 2")])
async def test_readiness_names_redis(api: Api, error: Exception) -> None:
    """A store that is away, or isn't ours, makes the process not ready, and alive."""
    api.store.error = error
    async with api.client.get("/readyz") as response:
        assert response.status == 503
        assert await response.json() == {"error_code": "DLI.0012", "error_msg": "Cannot be reached: redis."}
        assert int(response.headers["Retry-After"]) >= 1
    async with api.client.get("/healthz") as response:
        assert response.status == 200


async def test_readiness_names_all_that_is_away() -> None:
    """Both away: both are named, in the language asked for."""
    store = FakeStore(error=StoreUnavailableError("refused"))
    async with (
        served(store, AwayAuthenticator()) as api,
        api.client.get("/readyz", headers={"X-Language": "zh-cn"}) as response,
    ):
        assert (await response.json())["error_msg"] == "无法访问：redis, identity。"


async def test_readiness_is_bounded_by_time() -> None:
    """A store that never answers is named after the time for a probe."""
    async with served(probe_seconds=0.01) as api:
        api.store.gate.clear()
        async with api.client.get("/readyz") as response:
            assert (response.status, (await response.json())["error_msg"]) == (503, "Cannot be reached: redis.")


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("en", "Not there yet: statistics. No consumer has written to this Redis."),
        ("zh", "尚不可用：statistics。还没有消费者向此Redis写入数据。"),
    ],
)
async def test_redis_that_nobody_has_written_is_not_ready(api: Api, language: str, message: str) -> None:
    """An empty Redis is told apart from a project without jobs: not ready, and says so; the project's answer stays."""
    api.store.as_of_ms, api.store.users = 0, 0
    answered = await ask(api.port, f"X-Language: {language}", path="/readyz")
    assert (answered.status, json.loads(answered.body)) == (503, {"error_code": "DLI.0012", "error_msg": message})
    assert int(answered.headers["Retry-After"]) >= 1
    statistics = await ask(api.port, f"X-Auth-Token: {token()}")
    assert (statistics.status, statistics.headers["X-Statistics-As-Of"]) == (200, "0")


async def test_readiness_names_the_empty_store_beside_others() -> None:
    """Whatever lacks is named."""
    async with served(FakeStore(as_of_ms=0), AwayAuthenticator()) as api:
        answered = await ask(api.port, path="/readyz")
    assert json.loads(answered.body)["error_msg"] == "Cannot be reached: identity, statistics."


async def test_metrics_say_how_fresh_answers_are(api: Api) -> None:
    """The as-of is a metric, 0 where none is known; it stands still while the store is away."""
    for as_of_ms, error, seconds in (
        (0, None, 0.0),
        (AS_OF_MS, None, AS_OF_MS / 1000),
        (AS_OF_MS + 5, StoreUnavailableError("refused"), AS_OF_MS / 1000),
    ):
        api.store.as_of_ms, api.store.error = as_of_ms, error
        text = (await ask(api.port, path="/metrics")).body.decode()
        samples = {
            sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples
        }
        assert samples["stats_as_of_timestamp_seconds"] == seconds


@pytest.mark.parametrize("prefix", ["/statistics", "/v2.0", "/a/b.c~d"])
async def test_prefix_is_served_beside_the_plain_paths(prefix: str) -> None:
    """A proxy that leaves its prefix in the path, and probes that come past it, both reach everything."""
    async with served(policy=HttpPolicy(prefix=prefix)) as api:
        for path in (PATH, "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/style.css", "/console"):
            for before in ("", prefix):
                answered = await ask(api.port, f"X-Auth-Token: {token()}", path=before + path)
                assert (before, path, answered.status) == (before, path, 200)
            answered = await ask(api.port, method="POST", path=prefix + path)
            assert (answered.status, answered.headers["Allow"]) == (405, "GET,HEAD")
        for path in (prefix, f"{prefix}/", f"{prefix}x/healthz", f"{prefix}{prefix}/healthz", f"/x{prefix}/healthz"):
            assert (path, (await ask(api.port, path=path)).status) == (path, 404)
        description = json.loads((await ask(api.port, path=f"{prefix}/openapi.json")).body)
        metrics = (await ask(api.port, path="/metrics")).body.decode()
    assert description["servers"] == [{"url": prefix}]
    assert f'route="{prefix}/healthz"' not in metrics
    assert 'stats_http_requests_total{method="GET",route="/healthz",status="200"} 2.0' in metrics


async def test_without_a_prefix_the_server_is_the_one_asked(api: Api) -> None:
    """The description's paths are below the server that it came from."""
    description = json.loads((await ask(api.port, path="/openapi.json")).body)
    assert description["servers"] == [{"url": "/"}]


async def test_metrics_count_by_bounded_labels(api: Api) -> None:
    """Requests are counted by route, method and status; nothing a caller makes up becomes a label."""
    for path in (PATH, PATH.replace("e9", "f9"), "/made-up", "/made-up-too"):
        async with api.client.get(path, headers=as_caller()):
            pass
    async with api.client.request("PROPFIND", "/healthz"):
        pass
    await exchange(api.port, b"made-up\r\n\r\n")
    async with api.client.get("/metrics") as response:
        text = await response.text()
        assert response.headers["Content-Type"].startswith("text/plain; version=")
    route = "/v2.0/{project_id}/gene/statistics"
    assert {line for line in text.splitlines() if line.startswith("stats_http_requests_total{")} == {
        f'stats_http_requests_total{{method="GET",route="{route}",status="200"}} 1.0',
        f'stats_http_requests_total{{method="GET",route="{route}",status="403"}} 1.0',
        'stats_http_requests_total{method="GET",route="unknown",status="404"} 2.0',
        'stats_http_requests_total{method="other",route="unknown",status="405"} 1.0',
        'stats_http_requests_total{method="other",route="malformed",status="400"} 1.0',
    }
    assert f'stats_http_request_duration_seconds_bucket{{le="0.0005",route="{route}"}}' in text
    assert f'stats_http_request_duration_seconds_count{{route="{route}"}} 2.0' in text
    assert "made-up" not in text


@pytest.mark.parametrize(
    ("path", "name"), [("/schemas/job-event.json", "job-event.schema.json"), ("/asyncapi.json", "asyncapi.json")]
)
async def test_documents_for_producers_are_served(api: Api, path: str, name: str) -> None:
    """They need no token, and are those of the repository."""
    async with api.client.get(path) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
        assert await response.json() == json.loads((REPOSITORY / "docs" / name).read_text(encoding="utf-8"))
