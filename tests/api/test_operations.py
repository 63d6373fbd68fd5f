"""Health, readiness, metrics and the API's description."""
# ruff: noqa: RUF001 - Chinese has punctuation of its own

import json
from collections.abc import Iterator
from typing import Any

import pytest

from service.http.errors import CATALOGUE
from service.statistics import ProjectStatistics, UserStatistics
from service.store.errors import LayoutError, StoreUnavailableError
from tests.api.support import PATH, TOTALS, USER, Api, AwayAuthenticator, FakeStore, as_caller, exchange, served
from tests.docs import PROJECT


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


@pytest.fixture
async def description(api: Api) -> dict[str, Any]:
    """The served OpenAPI document."""
    async with api.client.get("/openapi.json") as response:
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        document: dict[str, Any] = await response.json()
        return document


def nested(value: Any) -> Iterator[dict[str, Any]]:
    """Every object anywhere in a document."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nested(child)


def test_description_refers_to_what_it_holds(description: dict[str, Any]) -> None:
    """The document is OpenAPI 3.1, and each reference in it leads somewhere."""
    assert description["openapi"].startswith("3.1.")
    references = [found["$ref"] for found in nested(description) if "$ref" in found]
    assert references
    for reference in references:
        target: Any = description
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_description_has_the_bodies(description: dict[str, Any]) -> None:
    """Its models have the answer's keys; `users` alone may be absent, and nothing may be null."""
    schemas = description["components"]["schemas"]
    assert set(schemas["ProjectStatistics"]["properties"]) == {"users", *TOTALS} == set(ProjectStatistics.model_fields)
    assert set(schemas["ProjectStatistics"]["required"]) == set(TOTALS)
    assert set(schemas["UserStatistics"]["required"]) == set(USER) == set(UserStatistics.model_fields)
    assert "null" not in json.dumps(schemas)


async def test_description_has_every_error() -> None:
    """Each error of the catalogue is described; 429 with the limit's numbers, and only if there is one."""
    for per_second, missing in ((7, set()), (0, {"429"})):
        async with served(per_second=per_second) as api, api.client.get("/openapi.json") as response:
            operation = (await response.json())["paths"]["/v2.0/{project_id}/gene/statistics"]["get"]
        assert set(operation["responses"]) == {"200", *(str(kind.status) for kind in CATALOGUE)} - missing
        assert ("7 times a second" in operation.get("description", "")) == (per_second == 7)


@pytest.mark.parametrize(
    ("path", "name"), [("/schemas/job-event.json", "job-event.schema.json"), ("/asyncapi.json", "asyncapi.json")]
)
async def test_documents_for_producers_are_served(api: Api, path: str, name: str) -> None:
    """They need no token, and are those of the repository."""
    async with api.client.get(path) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
        assert await response.json() == json.loads((PROJECT / "docs" / name).read_text(encoding="utf-8"))


async def test_description_covers_every_route(api: Api, description: dict[str, Any]) -> None:
    """Each path that is served without a token answers what its description says."""
    paths = description["paths"]
    documents = {"/openapi.json", "/schemas/job-event.json", "/asyncapi.json"}
    assert set(paths) == {"/v2.0/{project_id}/gene/statistics", "/healthz", "/readyz", "/metrics", *documents}
    for path in set(paths) - {"/v2.0/{project_id}/gene/statistics"}:
        async with api.client.get(path) as response:
            described = paths[path]["get"]["responses"]["200"]
            assert response.content_type in described["content"]
            assert all(name in response.headers for name in described["headers"])


def test_description_says_which_headers_may_be_absent(description: dict[str, Any]) -> None:
    """The horizon and the number of gaps are there only where there is one."""
    headers = description["paths"]["/v2.0/{project_id}/gene/statistics"]["get"]["responses"]["200"]["headers"]
    required = {name: header["required"] for name, header in headers.items()}
    assert required["X-Statistics-As-Of"]
    assert (required["X-Statistics-Horizon"], required["X-Statistics-Gaps"]) == (False, False)


def test_description_has_bounds_and_security(description: dict[str, Any]) -> None:
    """Parameters have the bounds that are checked, and the token's header is the security scheme."""
    operation = description["paths"]["/v2.0/{project_id}/gene/statistics"]["get"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    assert (schemas["start"]["minimum"], schemas["end"]["maximum"]) == (0, 2**53 - 1)
    assert schemas["project_id"]["pattern"] == "^[A-Za-z0-9_-]{1,64}$"
    (scheme,) = operation["security"][0]
    assert description["components"]["securitySchemes"][scheme] == {
        "type": "apiKey",
        "in": "header",
        "name": "X-Auth-Token",
    }
