"""The stream as an iterator, against the real API: what it yields, and how it goes on."""

import time
from contextlib import aclosing

import pytest

from gene_statistics import RateLimitedError, StatisticsClient
from service.api.live.limits import StreamLimits
from tests.api.streams import EAGER, LedStore, listening
from tests.api.support import AS_OF_MS, PROJECT, TOTALS, FakeStore, served, token


async def test_it_yields_what_the_service_tells() -> None:
    """Answers, and the same answer again when only its instant is newer."""
    store = LedStore()
    async with (
        served(store, pace=EAGER) as api,
        StatisticsClient(f"http://127.0.0.1:{api.port}", token()) as client,
        aclosing(client.stream(PROJECT, start=5)) as answers,
    ):
        first = await anext(answers)
        assert {name: getattr(first, name) for name in TOTALS} == TOTALS
        store.as_of_ms += 1
        store.let_in.release()
        newer = await anext(answers)
        store.write()
        changed = await anext(answers)
    assert [each.as_of_ms - AS_OF_MS for each in (first, newer, changed)] == [0, 1, 2]
    assert newer.users == first.users
    assert changed.total_running_num == 1
    assert store.asked == [(PROJECT, 5, None, None)] * 2


async def test_it_goes_on_with_another_token() -> None:
    """When its token ends: it has the answer still, and is told of the instant alone."""
    tokens = iter([token(exp=time.time() + 0.5), token()])
    store = LedStore()
    async with (
        served(store, pace=EAGER) as api,
        StatisticsClient(f"http://127.0.0.1:{api.port}", lambda: next(tokens)) as client,
        aclosing(client.stream(PROJECT)) as answers,
    ):
        first = await anext(answers)
        store.as_of_ms += 1
        again = await anext(answers)
        assert (again.users, again.as_of_ms) == (first.users, AS_OF_MS + 1)
        store.write()
        assert (await anext(answers)).total_running_num == 1


async def test_too_many_streams_are_waited_for_until_the_deadline() -> None:
    """The service says after which time there may be room."""
    async with (
        served(FakeStore(), stream_limits=StreamLimits(per_caller=1)) as api,
        StatisticsClient(f"http://127.0.0.1:{api.port}", token(), deadline_seconds=0.5) as client,
        listening(api) as stream,
    ):
        await stream.until("statistics")
        async with aclosing(client.stream(PROJECT)) as answers:
            with pytest.raises(RateLimitedError) as refused:
                await anext(answers)
    assert refused.value.retry_after_seconds == 5
