"""In virtual time the order in which Redis sees commands, and what it replies, is a function of the seed."""

import asyncio
import os
import random
from collections.abc import Sequence
from random import Random

import pytest

from service.store.errors import FencedError, StoreUnavailableError
from service.store.redis.client import create_writer_client
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.redis.cluster import SimulatedCluster
from tests.simulation.redis.home import Home
from tests.simulation.redis.server import SimulatedRedis
from tests.simulation.redis.session import Words
from tests.store.support import Store, event

ADDRESSES = [("10.0.0.1", 6379), ("10.0.0.2", 6379), ("10.0.0.3", 6379)]
URL = "redis://10.0.0.1:6379/0"
_CLIENTS = 4
_FAULT_SECONDS = 0.02


async def _consume(number: int, is_cluster: bool) -> None:
    """Applies batches of a project of its own, some of which fail, or are fenced as Redis has gone back."""
    client = create_writer_client(URL, is_cluster, timeout_seconds=1)
    store = Store(client)
    for batch in range(10):
        jobs = range(batch * 10, batch * 10 + 10)
        try:
            await store.apply([event(job, project_id=f"project{number}") for job in jobs])
            await store.body(f"project{number}")
        except (StoreUnavailableError, FencedError):
            await asyncio.sleep(0.01)
    await client.aclose()


async def _break(server: SimulatedRedis) -> None:
    """Some faults, one after the other."""
    state = server.snapshot()
    for fault in (server.freeze, server.thaw, server.kill, server.start, lambda: server.restore(state)):
        await asyncio.sleep(_FAULT_SECONDS)
        fault()


def _start(home: Home, rnd: Random, loop: SimulatedLoop, is_cluster: bool) -> Sequence[SimulatedRedis]:
    def now_ms() -> int:
        return round(loop.time() * 1_000)

    if is_cluster:
        cluster = SimulatedCluster(ADDRESSES, home, rnd, now_ms)
        cluster.start()
        return cluster.servers
    server = SimulatedRedis(home, rnd, now_ms)
    server.start()
    return [server]


def _run(home: Home, seed: int, is_cluster: bool) -> tuple[list[bytes], list[int]]:
    """Several clients at once, and faults; returns what was asked, and the checksums over all of each server."""
    rnd = Random(seed)
    random.seed(seed)
    network = Network(rnd)
    loop = SimulatedLoop(network)
    servers = _start(home, rnd, loop, is_cluster)
    asked: list[bytes] = []

    def note(words: Words) -> None:
        asked.append(b" ".join(words))

    for address, server in zip(ADDRESSES, servers, strict=False):
        server.before_command = note
        network.listen(address, server.protocol, lambda server=server: server.is_listening)  # type: ignore[misc]

    async def main() -> None:
        await asyncio.gather(*[_consume(number, is_cluster) for number in range(_CLIENTS)], _break(servers[0]))

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
        for server in servers:
            server.close()
    return asked, [network.trace, *[server.digest for server in servers]]


@pytest.mark.parametrize("is_cluster", [False, True])
def test_a_seed_repeats_all_commands(home: Home, monkeypatch: pytest.MonkeyPatch, is_cluster: bool) -> None:
    """The same seed asks the same in the same order and hears the same, whatever breaks; another does not."""
    runs = []
    for seed in (1, 1, 2):
        monkeypatch.setattr(os, "urandom", Random(seed).randbytes)
        runs.append(_run(home, seed, is_cluster))
    first, again, other = runs
    assert first == again
    assert [words.split()[0] for words in first[0]] != [words.split()[0] for words in other[0]]
