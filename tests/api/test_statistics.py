"""The statistics resource: bodies, headers, parameters, who sees what."""

import json
from urllib.parse import quote

import pytest
from yarl import URL

from service.store.errors import StoreUnavailableError
from tests.api.support import (
    AS_OF_MS,
    PATH,
    PROJECT,
    TOTALS,
    USER,
    Api,
    AwayAuthenticator,
    FakeStore,
    as_caller,
    served,
)

MAX_MS = 2**53 - 1


async def test_administrator_gets_users_and_totals(api: Api) -> None:
    """An administrator gets exactly the contract's keys, with big sizes exact and names as they are."""
    async with api.client.get(PATH, headers=as_caller()) as response:
        body = await response.read()
    assert response.status == 200
    assert json.loads(body) == {"users": [USER], **TOTALS}
    assert api.store.asked == [(PROJECT, None, None, None)]


async def test_answer_carries_its_headers(api: Api) -> None:
    """An answer says how recent it is, what it is, and that it may be kept by one caller who asks whether it holds."""
    async with api.client.get(PATH, headers=as_caller()) as response:
        headers = response.headers
    assert headers["X-Statistics-As-Of"] == str(AS_OF_MS)
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Cache-Control"] == "private, no-cache"
    assert headers["Vary"] == "Accept, Accept-Encoding, X-Auth-Token"
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_project_without_jobs_has_an_empty_list() -> None:
    """For an administrator `users` is there even when it is empty."""
    async with served(store=FakeStore(users=0)) as api, api.client.get(PATH, headers=as_caller()) as response:
        assert (await response.json())["users"] == []


@pytest.mark.parametrize("roles", [[], ["member", "ADMIN"]])
async def test_sub_user_gets_own_totals_alone(api: Api, roles: list[str]) -> None:
    """Without an administrator's role the store is asked for the caller alone, and `users` is absent."""
    async with api.client.get(PATH, headers=as_caller(sub="me", roles=roles)) as response:
        assert await response.json() == TOTALS
    assert api.store.asked == [(PROJECT, None, None, "me")]


@pytest.mark.parametrize(
    ("query", "interval"),
    [
        ("", (None, None)),
        ("?start=0", (0, None)),
        (f"?end={MAX_MS}", (None, MAX_MS)),
        ("?start=5&end=5", (5, 5)),
        ("?start=0005&end=00000000000000000000000000000006", (5, 6)),
        ("?start=%31", (1, None)),
        ("?&&end=1&", (None, 1)),
    ],
)
async def test_interval_reaches_the_store(api: Api, query: str, interval: tuple[int, int]) -> None:
    """Good bounds arrive as they are, missing ones open."""
    async with api.client.get(_raw(api, query), headers=as_caller()) as response:
        assert response.status == 200
    assert api.store.asked == [(PROJECT, *interval, None)]


@pytest.mark.parametrize("name", ["start", "end"])
@pytest.mark.parametrize(
    "value",
    [
        *("", "-1", "+1", "%2B1", "1.0", "1e3", "1_000", "0x10", "abc", "null"),
        *("%201", "1%20", "1%0A", "%D9%A1", "%EF%BC%91", "²", "%FF"),
        *(str(MAX_MS + 1), "9" * 33, "9" * 5000),
    ],
)
async def test_bad_bound_is_refused_by_name(api: Api, name: str, value: str) -> None:
    """Anything but ASCII decimal digits up to 2^53-1 is a 400 that names the parameter; the store isn't asked."""
    async with api.client.get(_raw(api, f"?{name}={value}"), headers=as_caller()) as response:
        body = await response.json()
    assert response.status == 400
    assert body["error_code"] == "DLI.0001"
    assert f"parameter {name} " in body["error_msg"]
    assert api.store.asked == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?START=1", "START"),
        ("?start=1&start_time=2", "start_time"),
        ("?unknown=x&unknown=y", "unknown"),
        ("?start", None),
        ("?limit", "limit"),
        ("?start%00=1", "start?"),
        ("?%20end=1", "?end"),
        ("?=1", '""'),
        ("?%3Cscript%3Ealert(1)%3C/script%3E=1", "?script?alert?1???script?"),
        ("?{name}=1", "?name?"),
        ("?%E5%BC%80%E5%A7%8B=1", "开始"),
        ("?%E2%80%AEtrats=1", "?trats"),
        ("?%1B[2J%0D%0AX-Evil:1=1", "??2J??X-Evil?1"),
        ("?%FF=1", None),
        ("?" + "a" * 8000 + "=1", "a" * 40 + "..."),
    ],
)
async def test_unknown_parameter_is_refused_by_name(api: Api, query: str, name: str | None) -> None:
    """Anything but `start` and `end` is a 400 that names it, short and harmless; the store isn't asked."""
    async with api.client.get(_raw(api, query), headers=as_caller()) as response:
        body = await response.json()
    assert (response.status, body["error_code"]) == (400, "DLI.0001")
    assert api.store.asked == []
    if name is not None:
        assert body["error_msg"] == f"There is no parameter {name} here."


@pytest.mark.parametrize("query", ["?start=1&start=1", "?start=1&start=2&end=9", "?%73tart=1&start=1"])
async def test_repeated_bound_is_refused(api: Api, query: str) -> None:
    """A bound given twice is a 400, even when both say the same."""
    async with api.client.get(_raw(api, query), headers=as_caller()) as response:
        assert (response.status, (await response.json())["error_msg"]) == (
            400,
            "The parameter start is given more than once.",
        )


async def test_reversed_bounds_are_refused(api: Api) -> None:
    """A start after the end is a 400 that names both."""
    async with api.client.get(f"{PATH}?start=6&end=5", headers=as_caller()) as response:
        message = (await response.json())["error_msg"]
    assert response.status == 400
    assert "parameter start" in message
    assert "parameter end" in message


@pytest.mark.parametrize("project", ["a/b", "a b", "a{b}", "a:b", "", "é", "a" * 65, "a\n", "..", "a.b", "a%00b"])
async def test_impossible_project_is_no_resource(api: Api, project: str) -> None:
    """A project id outside of its alphabet and length is a 404, before any token is looked at."""
    path = f"/v2.0/{quote(project, safe='')}/gene/statistics"
    async with api.client.get(_url(api, path)) as response:
        assert (response.status, (await response.json())["error_code"]) == (404, "DLI.0023")


async def test_project_is_compared_after_decoding(api: Api) -> None:
    """Percent-encoding a letter of the project's id changes nothing."""
    path = PATH.replace(PROJECT[0], f"%{ord(PROJECT[0]):02x}", 1)
    async with api.client.get(_url(api, path), headers=as_caller()) as response:
        assert response.status == 200


async def test_another_project_is_forbidden(api: Api) -> None:
    """A good token for another project is a 403, also for its administrator."""
    async with api.client.get(PATH, headers=as_caller(project_id="another")) as response:
        assert (response.status, (await response.json())["error_code"]) == (403, "DLI.0016")
    assert api.store.asked == []


async def test_checks_come_in_order(api: Api) -> None:
    """Method before token, token before project, project before parameters."""
    bad = f"{PATH}?start=x"
    async with api.client.post(bad) as response:
        assert response.status == 405
    async with api.client.get(bad) as response:
        assert response.status == 401
    async with api.client.get(bad, headers=as_caller(project_id="another")) as response:
        assert response.status == 403
    async with api.client.get(bad, headers=as_caller()) as response:
        assert response.status == 400


async def test_store_away_is_503(api: Api) -> None:
    """While the store is away the answer is 503 with Retry-After, and nothing of its reason."""
    api.store.error = StoreUnavailableError("connection to 10.0.0.1 refused")
    async with api.client.get(PATH, headers=as_caller()) as response:
        text = await response.text()
    assert (response.status, json.loads(text)["error_code"]) == (503, "DLI.0012")
    assert int(response.headers["Retry-After"]) >= 1
    assert "10.0.0.1" not in text


async def test_identity_away_is_503() -> None:
    """While tokens cannot be checked the answer is 503 with Retry-After, never 401."""
    async with (
        served(authenticator=AwayAuthenticator()) as api,
        api.client.get(PATH, headers=as_caller()) as response,
    ):
        assert (response.status, (await response.json())["error_code"]) == (503, "DLI.0012")
        assert int(response.headers["Retry-After"]) >= 1


async def test_head_is_a_get_without_body(api: Api) -> None:
    """HEAD answers the headers of GET."""
    async with api.client.head(PATH, headers=as_caller()) as response:
        assert (response.status, await response.read()) == (200, b"")
        assert response.headers["X-Statistics-As-Of"] == str(AS_OF_MS)


def _url(api: Api, path: str) -> URL:
    """A URL that goes out as it is, with nothing quoted anew."""
    return URL(f"http://127.0.0.1:{api.port}{path}", encoded=True)


def _raw(api: Api, query: str) -> URL:
    return _url(api, PATH + quote(query, safe="?&=%+"))
