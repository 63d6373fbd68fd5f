"""Kafka breaks under a running system: consumers wait and say so, and go on from where the store is."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from deploy.kafka.jars import KafkaProgram
from deploy.kafka.server import KafkaServers, start_kafka
from deploy.local.waiting import eventually
from tests.chaos.faults import kafka_hangs, kafka_killed
from tests.chaos.load import GROWING
from tests.chaos.rig import Rig, running_rig

HANGING_MS = 3_000


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


@pytest.fixture
async def cluster(kafka_program: KafkaProgram, tmp_path: Path) -> AsyncIterator[KafkaServers]:
    """Apache Kafka of three nodes, of which one may fail."""
    servers = await start_kafka(kafka_program, tmp_path / "cluster", count=3)
    yield servers
    servers.end()


async def test_a_broker_killed_and_back(rig: Rig) -> None:
    """Consumers whose broker is gone say so, are back when it is, and have lost nothing of what it had acknowledged."""
    async with rig.flowing():
        await rig.load.more(500)
        said = rig.said("a broker does not answer")
        async with kafka_killed(rig):
            await eventually(lambda: rig.said("a broker does not answer") > said, "a consumer says what is away")
        await rig.load.more(500)
    await rig.verify()


async def test_a_broker_hangs_and_goes_on(rig: Rig) -> None:
    """While the broker answers nothing as-of stands still, and answers go on; afterwards so does all else."""
    async with rig.flowing():
        await rig.load.more(500)
        async with kafka_hangs(rig):
            hanging_since_ms = now_ms()
            await eventually(lambda: now_ms() - hanging_since_ms > HANGING_MS, "the broker hangs for a while")
            as_of_ms, _ = await rig.system.ask((GROWING, None, None, None))
            assert as_of_ms <= hanging_since_ms
        await rig.load.more(500)
    await rig.verify()


async def test_a_leader_of_three_killed(cluster: KafkaServers, tmp_path: Path) -> None:
    """A cluster that loses a leader goes on without it, and takes it back, with no event lost or doubled."""
    async with running_rig(cluster, tmp_path, Random(1), consumers=1, jobs=2_000) as rig:
        async with rig.flowing():
            await rig.load.more(500)
            async with kafka_killed(rig):
                await rig.load.more(1_000)
            await rig.load.more(500)
        await rig.verify()
