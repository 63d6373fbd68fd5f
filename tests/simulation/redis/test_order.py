"""In virtual time the order in which Redis sees commands, and what it replies, is a function of the seed."""

import asyncio
import os
from random import Random

import pytest

from service.store.redis.client import create_writer_client
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.redis.front import Words
from tests.simulation.redis.home import Home
from tests.simulation.redis.server import SimulatedRedis
from tests.store.support import Store, event

ADDRESS = ("redis", 6379)
_CLIENTS = 4


async def _consume(number: int) -> None:
    """Applies batches of a project of its own."""
    client = create_writer_client(f"redis://{ADDRESS[0]}:{ADDRESS[1]}/0", cluster=False)
    store = Store(client)
    for batch in range(5):
        await store.apply([event(job, project_id=f"project{number}") for job in range(batch * 10, batch * 10 + 10)])
        await store.body(f"project{number}")
    await client.aclose()


def _run(home: Home, seed: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bytes], int]:
    """Several clients at once; returns what Redis was asked, and the checksum over all."""
    monkeypatch.setattr(os, "urandom", Random(seed).randbytes)
    rnd = Random(seed)
    network = Network(rnd)
    loop = SimulatedLoop(network)
    server = SimulatedRedis(home, rnd, lambda: round(loop.time() * 1_000))
    server.start()
    asked: list[bytes] = []

    def note(words: Words) -> None:
        asked.append(b" ".join(words))

    server.before_command = note
    network.listen(ADDRESS, server.protocol, lambda: server.is_listening)

    async def main() -> None:
        await asyncio.gather(*map(_consume, range(_CLIENTS)))

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
        server.close()
    return asked, server.digest


def test_a_seed_repeats_all_commands(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed asks the same in the same order and hears the same; another does not."""
    first, again, other = (_run(home, seed, monkeypatch) for seed in (1, 1, 2))
    assert first == again
    assert [words.split()[0] for words in first[0]] != [words.split()[0] for words in other[0]]
