"""CORS: pages of which origins may ask, and read what is answered."""

import pytest

from service.api.resources import statistics
from service.http.policy import HttpPolicy
from service.store.errors import StoreUnavailableError
from tests.api.support import PATH, Answered, FakeStore, ask, served, token

CONSOLE, OTHER = "https://console.example", "https://console.example:8443"
SOME = HttpPolicy(cors_origins=frozenset({CONSOLE, OTHER}))
ANY = HttpPolicy(cors_origins=frozenset({"*"}))
NONE = HttpPolicy()
PREFLIGHT = ("Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-auth-token")


def cors_headers(answered: Answered) -> dict[str, str]:
    """The headers of the protocol that an answer has."""
    return {name: value for name, value in answered.headers.items() if name.startswith("Access-Control-")}


@pytest.mark.parametrize(
    ("policy", "origin", "allowed"),
    [(SOME, CONSOLE, CONSOLE), (SOME, OTHER, OTHER), (ANY, "http://a", "*"), (ANY, "null", "*")],
)
@pytest.mark.parametrize("path", [PATH, "/openapi.json", "/nothing"])
async def test_preflight_of_an_allowed_origin(policy: HttpPolicy, origin: str, allowed: str, path: str) -> None:
    """It is told what a page may send: reads alone, with the headers of the API; no credentials."""
    async with served(policy=policy) as api:
        answered = await ask(api.port, f"Origin: {origin}", *PREFLIGHT, method="OPTIONS", path=path)
    assert (answered.status, answered.body) == (204, b"")
    headers = cors_headers(answered)
    assert headers.pop("Access-Control-Allow-Origin") == allowed
    assert headers.pop("Access-Control-Allow-Methods") == "GET, HEAD"
    named = {name.strip().lower() for name in headers.pop("Access-Control-Allow-Headers").split(",")}
    assert named >= {"x-auth-token", "x-language", "x-request-id", "if-none-match", "traceparent", "accept"}
    assert int(headers.pop("Access-Control-Max-Age")) > 0
    assert headers.keys() == {"Access-Control-Expose-Headers"}


STRANGERS = [
    "http://console.example",
    "https://console.example.evil",
    "https://console.example:443",
    "null",
    "",
    CONSOLE.upper(),
]


@pytest.mark.parametrize("origin", STRANGERS)
async def test_other_origins_are_told_nothing(origin: str) -> None:
    """A preflight of an origin that is not allowed is 405, and no answer to it may be read by its pages."""
    async with served(policy=SOME) as api:
        preflight = await ask(api.port, f"Origin: {origin}", *PREFLIGHT, method="OPTIONS")
        answered = await ask(api.port, f"Origin: {origin}", f"X-Auth-Token: {token()}")
    assert (preflight.status, answered.status) == (405, 200)
    assert cors_headers(preflight) == cors_headers(answered) == {}
    assert (preflight.headers["Vary"], answered.headers["Vary"]) == (
        "Origin",
        "Accept, Accept-Encoding, X-Auth-Token, Origin",
    )


async def test_without_the_setting_there_is_none() -> None:
    """Nobody is told anything, and OPTIONS stays 405."""
    async with served(policy=NONE) as api:
        preflight = await ask(api.port, f"Origin: {CONSOLE}", *PREFLIGHT, method="OPTIONS")
        answered = await ask(api.port, f"Origin: {CONSOLE}", f"X-Auth-Token: {token()}")
    assert (preflight.status, answered.status) == (405, 200)
    assert cors_headers(preflight) == cors_headers(answered) == {}
    assert "Origin" not in answered.headers["Vary"]


@pytest.mark.parametrize("lines", [[f"Origin: {CONSOLE}"], [PREFLIGHT[0]], []])
async def test_options_that_is_no_preflight(lines: list[str]) -> None:
    """Another OPTIONS is a method that is not supported, as everywhere."""
    async with served(policy=SOME) as api:
        answered = await ask(api.port, *lines, method="OPTIONS")
    assert (answered.status, answered.headers["Allow"]) == (405, "GET,HEAD")


async def test_pages_read_errors_and_304_too() -> None:
    """Every answer may be read, with the headers that say why and when again."""
    store = FakeStore()
    asked = (f"Origin: {CONSOLE}", f"X-Auth-Token: {token()}")
    async with served(store, policy=SOME) as api:
        answers = [
            await ask(api.port, *asked),
            await ask(api.port, *asked, "If-None-Match: *"),
            await ask(api.port, *asked, path=f"{PATH}?start=x"),
            await ask(api.port, asked[0]),
            await ask(api.port, *asked, path="/nothing"),
            await ask(api.port, *asked, method="DELETE"),
        ]
        store.error = StoreUnavailableError("refused")
        answers.append(await ask(api.port, *asked))
    assert [answered.status for answered in answers] == [200, 304, 400, 401, 404, 405, 503]
    for answered in answers:
        assert answered.headers["Access-Control-Allow-Origin"] == CONSOLE
        assert "Origin" in answered.headers["Vary"]
        assert {"ETag", "Retry-After", "X-Request-Id"} <= exposed(answered)


async def test_any_origin_depends_on_none() -> None:
    """With `*` answers are the same for all origins, so caches need not tell them apart."""
    async with served(policy=ANY) as api:
        answered = await ask(api.port, "Origin: http://a", f"X-Auth-Token: {token()}")
        without = await ask(api.port, f"X-Auth-Token: {token()}")
    assert answered.headers["Access-Control-Allow-Origin"] == "*"
    assert "Origin" not in answered.headers["Vary"]
    assert cors_headers(without) == {}


async def test_headers_of_the_statistics_are_exposed() -> None:
    """A page reads each header that the API adds."""
    async with served(policy=ANY) as api:
        answered = await ask(api.port, "Origin: http://a", f"X-Auth-Token: {token()}")
    assert {statistics.AS_OF, statistics.HORIZON, statistics.GAPS} <= exposed(answered)


def exposed(answered: Answered) -> set[str]:
    """The headers that a page may read."""
    return set(answered.headers["Access-Control-Expose-Headers"].split(", "))
