"""The client against the real API: answers as they are, and errors by their kinds."""

import traceback
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from gene_statistics import (
    AlreadyOpenError,
    ApiError,
    ClientClosedError,
    ForbiddenError,
    RateLimitedError,
    StatisticsClient,
    UnauthorizedError,
    UnavailableError,
    UserStatistics,
)
from service.store.errors import StoreUnavailableError
from tests.api.support import AS_OF_MS, BIG_SIZE_BYTES, PROJECT, TOTALS, USER, Api, FakeStore, served, token


def client_of(api: Api, source: Any = None, **options: Any) -> StatisticsClient:
    return StatisticsClient(f"http://127.0.0.1:{api.port}", token() if source is None else source, **options)


async def test_an_answer_is_typed_and_exact(api: Api) -> None:
    """Rows, totals up to 2^63, and the instant that it is of."""
    async with client_of(api) as client:
        answer = await client.statistics(PROJECT)
    assert answer.users == [UserStatistics(**USER)]
    assert {name: getattr(answer, name) for name in TOTALS} == TOTALS
    assert answer.total_input_size == BIG_SIZE_BYTES
    assert (answer.as_of_ms, answer.as_of) == (AS_OF_MS, datetime(2018, 7, 26, 11, 47, 51, 2_000, UTC))
    assert (answer.horizon, answer.gaps) == (None, 0)


async def test_a_sub_user_has_no_rows(api: Api) -> None:
    """But totals."""
    async with client_of(api, token(roles=["te_user"])) as client:
        answer = await client.statistics(PROJECT)
    assert (answer.users, answer.total_finished_num) == (None, 10)


async def test_bounds_are_milliseconds_or_datetimes_with_a_zone(api: Api) -> None:
    """Of any zone, rounded down to the millisecond; a bound that is absent is open."""
    at = datetime(2018, 7, 26, 19, 47, 51, 2_999, timezone(timedelta(hours=8)))
    async with client_of(api) as client:
        await client.statistics(PROJECT, start=at, end=AS_OF_MS + 1)
        await client.statistics(PROJECT, end=0)
        with pytest.raises(ValueError, match=r"^end: .*time zone"):
            await client.statistics(PROJECT, end=datetime(2018, 7, 26))
        with pytest.raises(ValueError, match=r"^project_id: "):
            await client.statistics("../other")
    assert api.store.asked == [(PROJECT, AS_OF_MS, AS_OF_MS + 1, None), (PROJECT, None, 0, None)]


async def test_errors_have_their_kinds(api: Api) -> None:
    """What will not pass is asked once; the code, the words and the request's id are the API's."""
    async with client_of(api, "forged") as client:
        with pytest.raises(UnauthorizedError) as unauthorized:
            await client.statistics(PROJECT)
    async with client_of(api) as client:
        with pytest.raises(ForbiddenError) as forbidden:
            await client.statistics("another")
        with pytest.raises(ApiError) as bad:
            await client.statistics(PROJECT, start=2, end=1)
    errors = [unauthorized.value, forbidden.value, bad.value]
    assert [(error.status, error.error_code) for error in errors] == [
        (401, "DLI.0013"),
        (403, "DLI.0016"),
        (400, "DLI.0001"),
    ]
    assert bad.value.error_msg == "The parameter start is greater than the parameter end."
    assert all(error.request_id and error.request_id in str(error) for error in errors)
    assert api.store.asked == []


async def test_a_rate_limit_is_raised_where_the_wait_would_outlast_the_deadline() -> None:
    """At once, with the wait that the API asks for."""
    async with served(per_second=1) as limited, client_of(limited, deadline_seconds=0.9) as client:
        await client.statistics(PROJECT)
        await client.statistics(PROJECT)
        with pytest.raises(RateLimitedError) as refused:
            await client.statistics(PROJECT)
    assert (refused.value.error_code, refused.value.retry_after_seconds) == ("DLI.1028", 1.0)


class AwayOnce(FakeStore):
    """A store that fails the first time."""

    async def ping(self) -> None:
        """Raises the error once."""
        error, self.error = self.error, None
        if error is not None:
            raise error


@pytest.mark.parametrize("deadline_seconds", [0.9, 30.0])
async def test_a_store_that_is_away_for_a_moment(deadline_seconds: float) -> None:
    """The question is asked again once the second that the API asks for is over, unless the deadline is sooner."""
    store = AwayOnce(error=StoreUnavailableError("away"))
    async with served(store) as api, client_of(api, deadline_seconds=deadline_seconds) as client:
        if deadline_seconds < 1:
            with pytest.raises(UnavailableError, match=r"503 DLI\.0012"):
                await client.statistics(PROJECT)
        else:
            assert (await client.statistics(PROJECT)).total_finished_num == 10
    assert len(store.asked) == (1 if deadline_seconds < 1 else 2)


async def test_tokens_are_renewed_when_they_are_refused(api: Api) -> None:
    """The function is asked for the first question and once after each refusal; a second refusal is the error."""
    tokens = iter([token(exp=1), token(), "forged", "forged-too"])
    given: list[str] = []

    async def next_token() -> str:
        given.append(next(tokens))
        return given[-1]

    async with client_of(api, next_token) as client:
        await client.statistics(PROJECT)
        await client.statistics(PROJECT)
        assert len(given) == 2
    async with client_of(api, next_token) as client:
        with pytest.raises(UnauthorizedError) as refused:
            await client.statistics(PROJECT)
    assert len(given) == 4
    assert "forged" not in repr(refused.value)


async def test_a_client_that_is_not_open(api: Api) -> None:
    """It says so, before it asks for a token, and before it is opened as after it is closed."""
    client = client_of(api, lambda: pytest.fail("no token is needed"))
    for _ in range(2):
        with pytest.raises(ClientClosedError, match="async with"):
            await client.statistics(PROJECT)
        async with client:
            with pytest.raises(AlreadyOpenError):
                await client.__aenter__()


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1:8080", "ftp://host", "http://", "http://u:secret@host", "http://host?a=1", "http:// h"),
        *("http://h\n", "http://u:secret@h:99999", "http://[::1", "http://h:port", "http://:secret@h", "", None),
        b"http://h",
    ],
)
def test_addresses_that_cannot_be_one(url: Any) -> None:
    """Refused before anything is asked, and not quoted."""
    with pytest.raises(ValueError, match=r"^base_url: ") as refused:
        StatisticsClient(url, "token")
    assert "secret" not in "".join(traceback.format_exception_only(refused.value))
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_deadlines_that_cannot_be_one(seconds: float) -> None:
    """The text names the argument."""
    with pytest.raises(ValueError, match=r"^deadline_seconds: "):
        StatisticsClient("http://host", "token", deadline_seconds=seconds)
