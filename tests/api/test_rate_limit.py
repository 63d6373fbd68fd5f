"""The rate limit: how much, for whom, and when again."""

import asyncio
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from service.api.rate_limit import RateLimit, RateLimiter
from service.auth.jwt import JwtAuthenticator, SecretKey
from service.auth.jwt_claims import ClaimsPolicy
from tests.api.support import PATH, PROJECT, SECRET, Api, AwayAuthenticator, Clock, FakeStore, as_caller, served, token


def test_bucket_holds_two_seconds_of_the_rate() -> None:
    """A caller may ask twice the rate at once, then waits for the part of a second that one request takes."""
    limiter = RateLimiter(RateLimit(4), Clock())
    assert [limiter.take("a") for _ in range(9)] == [0.0] * 8 + [0.25]


def test_bucket_fills_with_time() -> None:
    """Each second gives the rate back, up to the whole bucket, and a refused request costs nothing."""
    clock = Clock()
    limiter = RateLimiter(RateLimit(4), clock)
    for _ in range(8):
        limiter.take("a")
    clock.now_seconds += 0.125
    assert [limiter.take("a"), limiter.take("a")] == [0.125, 0.125]
    clock.now_seconds += 0.125
    assert [limiter.take("a"), limiter.take("a")] == [0.0, 0.25]
    clock.now_seconds += 1000
    assert [limiter.take("a") for _ in range(9)] == [0.0] * 8 + [0.25]


def test_callers_do_not_share() -> None:
    """One caller's use leaves the others alone."""
    limiter = RateLimiter(RateLimit(1), Clock())
    assert [limiter.take(caller) for caller in "aaab"] == [0.0, 0.0, 1.0, 0.0]


def test_memory_is_bounded() -> None:
    """Only the callers seen last are remembered; one who still asks stays among them."""
    limiter = RateLimiter(RateLimit(1, max_callers=2), Clock())
    assert [limiter.take(caller) for caller in "aabaca"] == [0.0, 0.0, 0.0, 1.0, 0.0, 1.0]
    assert [limiter.take(caller) for caller in "bcba"] == [0.0, 0.0, 0.0, 0.0]


def test_zero_is_no_limit() -> None:
    """Without a limit nobody waits."""
    limiter = RateLimiter(RateLimit(0), Clock())
    assert {limiter.take("a") for _ in range(10_000)} == {0.0}


async def status(api: Api, path: str = PATH, **claims: Any) -> int:
    """The status of a request of such a caller."""
    async with api.client.get(path, headers=as_caller(**claims)) as response:
        return response.status


async def limited(api: Api) -> dict[str, float]:
    """How many requests each limit has refused, by the metrics."""
    async with api.client.get("/metrics") as response:
        families = text_string_to_metric_families(await response.text())
    [family] = [each for each in families if each.name == "stats_rate_limited"]
    return {sample.labels["limit"]: sample.value for sample in family.samples}


async def test_limit_answers_429_until_time_has_passed() -> None:
    """Above the limit: 429 with whole seconds in Retry-After, before parameters are looked at; then 200 again."""
    async with served(per_second=4) as api:
        assert [await status(api) for _ in range(8)] == [200] * 8
        async with api.client.get(f"{PATH}?start=x", headers=as_caller()) as response:
            assert (response.status, (await response.json())["error_code"]) == (429, "DLI.1028")
            assert response.headers["Retry-After"] == "1"
        assert await limited(api) == {"caller": 1, "address": 0}
        assert len(api.store.asked) == 8
        api.clock.now_seconds += 1
        assert await status(api) == 200


async def test_limit_is_of_each_user_in_each_project() -> None:
    """Another user has a limit of their own; what needs no token, or has a bad one, takes nothing from anybody."""
    async with served(per_second=1) as api:
        assert [await status(api) for _ in range(3)] == [200, 200, 429]
        assert await status(api, sub="another") == 200
        other = PATH.replace(PROJECT, "p2")
        assert [await status(api, other) for _ in range(5)] == [403] * 5
        assert await status(api, other, project_id="p2") == 200
        assert [await status(api, "/healthz") for _ in range(5)] == [200] * 5


async def test_new_role_is_no_new_caller() -> None:
    """A caller is a user in a project: a token with other roles shares the limit."""
    async with served(per_second=1) as api:
        assert [await status(api) for _ in range(3)] == [200, 200, 429]
        assert await status(api, roles=[]) == 429


async def ask(api: Api, text: str, source: str = "127.0.0.1") -> aiohttp.ClientResponse:
    """The answer to a request with this token, from an address of this machine."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{api.port}", connector=connector) as client,
        client.get(PATH, headers={"X-Auth-Token": text}) as response,
    ):
        await response.read()
        return response


async def test_refused_tokens_are_counted_by_address() -> None:
    """Above the limit refused tokens get 429 unseen; so do new tokens of that address, but no known and no other's."""
    async with served(per_second=2) as api:
        known, new = token(), token(sub="new")
        assert (await ask(api, known)).status == 200
        answers = await asyncio.gather(*(ask(api, f"a.b.{number}") for number in range(9)))
        assert sorted(answer.status for answer in answers) == [401] * 4 + [429] * 5
        assert await limited(api) == {"caller": 0, "address": 5}
        assert {answer.headers["Retry-After"] for answer in answers if answer.status == 429} == {"1"}
        assert [(await ask(api, text)).status for text in (known, new)] == [200, 429]
        assert (await ask(api, new, "127.0.0.2")).status == 200
        assert (await ask(api, new)).status == 200  # it is known by now
        api.clock.now_seconds += 0.5
        assert [(await ask(api, "x")).status for _ in range(2)] == [401, 429]


async def test_good_tokens_use_nothing_up() -> None:
    """Tokens that are found good are not counted, however many new ones an address sends; nor are absent ones."""
    async with served(per_second=1) as api:
        for number in range(20):
            assert (await ask(api, token(sub=f"user-{number}"))).status == 200
            async with api.client.get(PATH) as response:
                assert response.status == 401
        assert [(await ask(api, "x")).status for _ in range(3)] == [401, 401, 429]


async def test_outage_of_the_identity_service_uses_nothing_up() -> None:
    """Tokens that cannot be checked are 503, as many as come."""
    async with served(authenticator=AwayAuthenticator(), per_second=1) as api:
        assert {(await ask(api, "x")).status for _ in range(5)} == {503}


async def test_without_a_limit_refused_tokens_are_401() -> None:
    """With 0 there is no limit for them either."""
    async with served() as api:
        assert {(await ask(api, "x")).status for _ in range(20)} == {401}


async def test_expired_token_is_counted_as_any_refused_one() -> None:
    """A token that was good and has expired is none that goes on."""
    now = [1_000.0]
    authenticator = JwtAuthenticator(SecretKey(SECRET), ClaimsPolicy(frozenset()), lambda: now[0])
    async with served(authenticator=authenticator, per_second=1) as api:
        short = token(exp=1_010)
        assert (await ask(api, short)).status == 200
        now[0] = 1_020
        assert [(await ask(api, short)).status for _ in range(3)] == [401, 401, 429]


async def test_a_caller_with_large_answers_waits_in_its_own_line() -> None:
    """Two of its questions are in work at a time, and another caller's is not behind the others."""
    store = FakeStore(users=500)
    async with served(store) as api:
        assert await status(api) == 200
        store.gate.clear()
        heavy = [asyncio.create_task(status(api)) for _ in range(9)]
        while len(store.asked) < 3:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)
        other = asyncio.create_task(status(api, sub="other"))
        while len(store.asked) < 4:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        assert len(store.asked) == 4
        store.gate.set()
        assert await other == 200
        assert await asyncio.gather(*heavy) == [200] * 9
