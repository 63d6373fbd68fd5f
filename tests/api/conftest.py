"""The served API as a fixture."""

from collections.abc import AsyncIterator

import pytest

from tests.api.support import Api, served


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API without a rate limit, over a store in memory."""
    async with served() as api:
        yield api
