"""One running stack for all tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.monitoring.stack import Stack, run_stack


@pytest.fixture(scope="package")
async def stack(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Redis, a consumer and the API, with the project that docs/operating.md speaks of."""
    folder: Path = tmp_path_factory.mktemp("stack")
    async with run_stack(kafka_bootstrap, folder) as running:
        yield running
