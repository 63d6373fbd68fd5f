"""Faults by chance, several at once, on a running system: `make chaos` for as long as one likes."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random

import pytest

from deploy.kafka.server import KafkaServers
from tests.chaos.faults import API_FAULTS, CONSUMER_FAULTS, KAFKA_FAULTS, REDIS_FAULTS
from tests.chaos.rig import Rig, running_rig
from tests.end_to_end.checks import assert_dead_letters

_log = logging.getLogger(__name__)

# In this order faults begin, and end the other way round: an API that starts needs its Redis.
KINDS = (API_FAULTS, KAFKA_FAULTS, CONSUMER_FAULTS, REDIS_FAULTS)
ROUNDS_UNVERIFIED = 5
SHORT_SECONDS, LONG_SECONDS = 3.0, 13.0  # long: more than a member of a group may be silent


@pytest.fixture
async def rig(kafka: KafkaServers, tmp_path: Path, pytestconfig: pytest.Config) -> AsyncIterator[Rig]:
    """A running system of three consumers."""
    rnd = Random(pytestconfig.getoption("--chaos-seed"))
    async with running_rig(kafka, tmp_path, rnd, consumers=3, jobs=12_000) as rig:
        yield rig


async def test_random_faults(rig: Rig, pytestconfig: pytest.Config, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever breaks, no answer is wrong or half meanwhile, and in the end all are what a recount gives."""
    caplog.set_level(logging.INFO, __name__)
    caplog.set_level(logging.CRITICAL, "aiokafka")  # says many times a second what is known here
    deadline = time.monotonic() + 60 * pytestconfig.getoption("--chaos-minutes")
    rounds = faults = 0
    while time.monotonic() < deadline:
        async with rig.flowing():
            for _ in range(ROUNDS_UNVERIFIED):
                if time.monotonic() < deadline:
                    faults += await break_something(rig)
                    rounds += 1
        await rig.verify()
    # a consumer sends a letter once, and again if Kafka loses its acknowledgement: each fault may cost one more
    at_most = len(rig.consumers) + faults
    await assert_dead_letters(rig.kafka.bootstrap, rig.topic, rig.load.records, at_most)
    _log.info("%d rounds of faults, %d answers, %d refusals", rounds, rig.reader.answers, rig.reader.refusals)
    assert rig.reader.answers > rounds


async def break_something(rig: Rig) -> int:
    """One or two faults of different kinds, for a while, and then a while without; returns how many."""
    rnd = rig.rnd
    by_kind = dict(rnd.choices([(kind, fault) for kind, faults in enumerate(KINDS) for fault in faults], k=2))
    chosen = [fault for _, fault in sorted(by_kind.items(), key=lambda each: each[0])]
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        for fault in chosen:
            await asyncio.sleep(rnd.random())
            await stack.enter_async_context(fault(rig))
        await asyncio.sleep(rnd.uniform(0, LONG_SECONDS if rnd.random() < 0.1 else SHORT_SECONDS))
    _log.info("%s: %.1f s", ", ".join(fault.__name__ for fault in chosen), time.monotonic() - began)
    # Sometimes it breaks again before it has recovered, sometimes not.
    with suppress(TimeoutError):
        async with asyncio.timeout(rnd.uniform(0, SHORT_SECONDS)):
            await rig.load.more(1_000)
    return len(chosen)
