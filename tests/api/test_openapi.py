"""The API's description: what it says, and that what is answered is what it says."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.api.openapi.document import describe
from service.api.rate_limit import RateLimit
from service.http.errors import CATALOGUE, Language
from service.statistics import ProjectStatistics, UserStatistics
from tests.api.support import TOTALS, USER, Api

STATISTICS = "/v2.0/{project_id}/gene/statistics"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    """The description of an API with a limit, as it is sent."""
    document: dict[str, Any] = json.loads(json.dumps(describe(RateLimit(7))))
    return document


def nested(value: Any) -> Iterator[dict[str, Any]]:
    """Every object anywhere in a document."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nested(child)


def operations(description: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The operations by path and method."""
    return {(path, method): each for path, methods in description["paths"].items() for method, each in methods.items()}


def responses(description: dict[str, Any]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Path, method, status and description of every answer."""
    return [
        (path, method, status, response)
        for (path, method), operation in operations(description).items()
        for status, response in operation["responses"].items()
    ]


async def test_it_is_served(api: Api) -> None:
    """The document that is sent is the one that these tests look at."""
    async with api.client.get("/openapi.json") as response:
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        assert await response.json() == describe(RateLimit(0))


@pytest.mark.parametrize("document", [describe(RateLimit(7)), describe(RateLimit(0), "/statistics")])
def test_it_is_openapi(document: dict[str, Any]) -> None:
    """The validator of its version has no objection, with a limit and without, with a prefix and without."""
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


@pytest.mark.parametrize("prefix", ["", "/statistics"])
def test_prefix_is_in_the_server(prefix: str) -> None:
    """A client that is made of the document asks below the path that the proxy serves, and so does a reader."""
    document = describe(RateLimit(0), prefix)
    assert [server["url"] for server in document["servers"]] == [prefix or "/"]
    assert document["externalDocs"]["url"] == f"{prefix}/docs"


def test_it_has_the_bodies(description: dict[str, Any]) -> None:
    """Its models have the answer's keys and no others; `users` alone may be absent, and nothing may be null."""
    schemas = description["components"]["schemas"]
    assert set(schemas["ProjectStatistics"]["properties"]) == {"users", *TOTALS} == set(ProjectStatistics.model_fields)
    assert set(schemas["ProjectStatistics"]["required"]) == set(TOTALS)
    assert set(schemas["UserStatistics"]["required"]) == set(USER) == set(UserStatistics.model_fields)
    assert all(schemas[name]["additionalProperties"] is False for name in schemas if name != "Document")
    assert "null" not in json.dumps(schemas)


def test_numbers_have_64_bits(description: dict[str, Any]) -> None:
    """Each integer says so: clients of several languages would otherwise read it into 32 bits."""
    integers = [each for each in nested(description) if each.get("type") == "integer"]
    assert len(integers) > 20
    assert [each for each in integers if each.get("format") != "int64"] == []


def test_head_is_get_without_bodies(description: dict[str, Any]) -> None:
    """HEAD has the parameters, statuses and headers of GET, an id of its own, and no content."""
    for methods in description["paths"].values():
        assert set(methods) == {"get", "head"}
        get, head = methods["get"], methods["head"]
        assert head["parameters"] == get["parameters"]
        assert head["responses"] == {
            status: {key: each[key] for key in ("description", "headers")} for status, each in get["responses"].items()
        }
    ids = [each["operationId"] for each in operations(description).values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("per_second", "missing"), [(7, set()), (0, {"429"})])
def test_it_has_every_error(per_second: int, missing: set[str]) -> None:
    """Each error of the catalogue is described, in both languages; 429 with the limit's numbers, if there is one."""
    document = describe(RateLimit(per_second))
    described = document["paths"][STATISTICS]["get"]["responses"]
    assert set(described) - {"200", "304"} == {str(kind.status) for kind in CATALOGUE} - missing
    for kind in CATALOGUE:
        if str(kind.status) not in missing:
            examples = described[str(kind.status)]["content"]["application/json"]["examples"]
            assert set(examples) == set(get_args(Language))
            assert {each["value"]["error_code"] for each in examples.values()} == {kind.code}
    prose = document["info"]["description"]
    assert ("may ask 7 times a second" in prose) == (per_second == 7)
    assert all(f"`{kind.code}`" in prose for kind in CATALOGUE)


def test_errors_say_which_headers_they_carry(description: dict[str, Any]) -> None:
    """Those that a caller acts upon are in each answer of that status, of every operation."""
    carried = {"304": "ETag", "401": "WWW-Authenticate", "405": "Allow", "429": "Retry-After", "503": "Retry-After"}
    for _, _, status, response in responses(description):
        assert response["headers"]["X-Request-Id"]["required"]
        if status in carried:
            assert response["headers"][carried[status]]["required"]


def test_it_says_which_headers_may_be_absent(description: dict[str, Any]) -> None:
    """The horizon and the number of gaps are there only where there is one."""
    headers = description["paths"][STATISTICS]["get"]["responses"]["200"]["headers"]
    required = {name: header["required"] for name, header in headers.items()}
    assert required["X-Statistics-As-Of"]
    assert (required["X-Statistics-Horizon"], required["X-Statistics-Gaps"]) == (False, False)
    assert (required["ETag"], required["Content-Encoding"]) == (True, False)


def test_it_has_bounds_and_security(description: dict[str, Any]) -> None:
    """Parameters have the bounds that are checked, and the token's header is the security scheme."""
    operation = description["paths"][STATISTICS]["get"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    assert (schemas["start"]["minimum"], schemas["end"]["maximum"]) == (0, 2**53 - 1)
    assert schemas["project_id"]["pattern"] == "^[A-Za-z0-9_-]{1,64}$"
    assert schemas["X-Language"]["enum"] == list(get_args(Language))
    (scheme,) = operation["security"][0]
    described = description["components"]["securitySchemes"][scheme]
    assert (described["type"], described["in"], described["name"]) == ("apiKey", "header", "X-Auth-Token")


def test_every_tag_and_parameter_is_explained(description: dict[str, Any]) -> None:
    """Each operation has a tag that the document describes; each parameter has a meaning and an example."""
    tags = {each["name"] for each in description["tags"]}
    for operation in operations(description).values():
        assert operation["summary"]
        assert set(operation["tags"]) <= tags
        for parameter in operation["parameters"]:
            assert parameter["description"]
            assert "example" in parameter
