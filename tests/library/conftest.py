"""What fails a test of the library that blocks its event loop, and the real servers that the tests share."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.api.support import Api, served
from tests.blocking import no_blocking_calls
from tests.library.stub import Stub, serving_stub


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API without a rate limit, over a store in memory."""
    async with served() as api:
        yield api


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    """A server that answers with whatever bytes a test gives it."""
    async with serving_stub() as stub:
        yield stub


@pytest.fixture(scope="package", autouse=True)
def event_loop_is_watched() -> Iterator[None]:
    """Fails a test in which the library blocks the loop."""
    with no_blocking_calls("gene_statistics"):
        yield
