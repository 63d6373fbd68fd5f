"""The served API as a fixture."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.api.support import Api, served
from tests.blocking import no_blocking_calls


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API without a rate limit, over a store in memory."""
    async with served() as api:
        yield api


@pytest.fixture(scope="package", autouse=True)
def event_loop_is_watched() -> Iterator[None]:
    """Fails a test in which the API blocks the loop."""
    with no_blocking_calls():
        yield
