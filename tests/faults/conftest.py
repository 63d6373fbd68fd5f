"""One system for all faults of a module, which break it one after the other."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from deploy.kafka.server import KafkaServers
from tests.chaos.rig import Rig, running_rig


@pytest.fixture(scope="module")
async def rig(
    kafka: KafkaServers, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Rig]:
    """A running system of two consumers, with months of history to come."""
    folder: Path = tmp_path_factory.mktemp("rig")
    async with running_rig(kafka, folder, Random(request.module.__name__), consumers=2, jobs=8_000) as rig:
        yield rig
