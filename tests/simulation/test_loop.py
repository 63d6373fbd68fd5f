"""The simulated loop: time jumps, connections carry bytes in order, processes hang, wake and are killed."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.process import Process

ADDRESS = ("server", 1)


def simulate(main: Coroutine[Any, Any, Any], seed: int = 1) -> tuple[Any, SimulatedLoop]:
    """Runs a coroutine on a new loop, with a server that sends back what it gets."""
    network = Network(Random(seed))
    network.listen(ADDRESS, _Echo)
    loop = SimulatedLoop(network)
    try:
        return loop.run_until_complete(main), loop
    finally:
        loop.close()


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def echo(words: int) -> bytes:
    """Sends so many words, and returns what comes back."""
    reader, writer = await asyncio.open_connection(*ADDRESS)
    for number in range(words):
        writer.write(b"%d " % number)
    answer = await reader.readexactly(sum(len(b"%d " % number) for number in range(words)))
    writer.close()
    return answer


def test_an_hour_passes_at_once() -> None:
    """Whoever sleeps gets up at the right time, in the right order."""
    woken: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(round(asyncio.get_running_loop().time(), 1))

    async def main() -> None:
        await asyncio.gather(*map(sleep, (3600, 20, 0.5)))

    simulate(main())
    assert woken == [1.5, 21.0, 3601.0]


def test_time_passes_for_those_who_do_not_sleep() -> None:
    """A task that looks at the clock again and again gets to its deadline."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.01
        while loop.time() < until:  # noqa: ASYNC110 - as some loops of libraries do
            await asyncio.sleep(0)

    simulate(main())


def test_bytes_come_in_order() -> None:
    """Each piece is late by chance, and none overtakes another."""
    answer, _ = simulate(echo(50))
    assert answer.split() == [b"%d" % number for number in range(50)]


def test_a_seed_repeats_a_run() -> None:
    """The same seed delivers the same at the same instants, another does not."""

    async def several() -> None:
        await asyncio.gather(*(echo(5) for _ in range(5)))

    traces = [simulate(several(), seed)[1].network.trace for seed in (1, 1, 2)]
    assert traces[0] == traces[1] != traces[2]


def test_a_process_hangs_and_wakes() -> None:
    """What it would have done meanwhile it does afterwards, in order."""
    done: list[tuple[str, float]] = []

    async def work(name: str) -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            done.append((name, round(asyncio.get_running_loop().time())))

    async def main() -> None:
        hanging, other = Process("hanging"), Process("other")
        tasks = [hanging.spawn(work("hanging")), other.spawn(work("other"))]
        await asyncio.sleep(0.5)
        hanging.hang()
        await asyncio.sleep(10)
        hanging.wake()
        await asyncio.wait(tasks)

    simulate(main())
    assert [at for name, at in done if name == "other"] == [2, 3, 4]
    assert [at for name, at in done if name == "hanging"] == [12, 13, 14]


def test_a_killed_process_does_nothing_more() -> None:
    """Nothing of it runs, not even what it would do last; its peers see that its connections are reset."""
    done: list[str] = []

    class Peer(asyncio.Protocol):
        def connection_lost(self, error: Exception | None) -> None:
            done.append(type(error).__name__)

    async def work() -> None:
        _, writer = await asyncio.open_connection("peer", 2)
        try:
            await asyncio.sleep(1)
            writer.close()
        finally:
            done.append("cleaned up")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        loop.network.listen(("peer", 2), Peer)
        process = Process("killed")
        task = process.spawn(work())
        await asyncio.sleep(0.5)
        process.kill()
        await asyncio.sleep(10)
        assert not task.done()
        assert done == ["ConnectionResetError"]
        process.is_dead = False  # so that the test itself can end its task
        task.cancel()

    simulate(main())


def test_whoever_is_cut_off_gets_everything_later() -> None:
    """A cut network loses nothing; a server that refuses is told from one that does not answer."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        reader, writer = await asyncio.open_connection(*ADDRESS)
        link = loop.network.links[ADDRESS]
        link.cut()
        for piece in (b"he", b"ll", b"o"):
            writer.write(piece)
            await asyncio.sleep(0.07)
        began = loop.time()
        for error, address in ((TimeoutError, ADDRESS), (ConnectionRefusedError, ("nobody", 1))):
            try:
                await asyncio.open_connection(*address)
            except error:
                continue
            raise AssertionError(address)
        assert loop.time() - began > 60
        link.mend()
        assert await reader.readexactly(5) == b"hello"
        writer.close()

    simulate(main())
