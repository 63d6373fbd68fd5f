"""The rate limit: how much, for whom, and when again."""

from typing import Any

from service.api.rate_limit import RateLimit, RateLimiter
from tests.api.support import PATH, PROJECT, Api, Clock, as_caller, served


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


async def test_limit_answers_429_until_time_has_passed() -> None:
    """Above the limit: 429 with whole seconds in Retry-After, before parameters are looked at; then 200 again."""
    async with served(per_second=4) as api:
        assert [await status(api) for _ in range(8)] == [200] * 8
        async with api.client.get(f"{PATH}?start=x", headers=as_caller()) as response:
            assert (response.status, (await response.json())["error_code"]) == (429, "DLI.1028")
            assert response.headers["Retry-After"] == "1"
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
