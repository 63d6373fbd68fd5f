"""Several processes on one port: a rolling restart loses no request, and each is seen by itself on its own port."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path

import aiohttp
import pytest

from deploy.local.servers import free_port
from service.http.listener import bind
from tests.api.busy import Tally, keep_asking
from tests.api.support import SECRET
from tests.api.test_process import logged, started

MIGRATE = Path("/proc/sys/net/ipv4/tcp_migrate_req")


@pytest.fixture
def migrated() -> Iterator[bool]:
    """Has Linux pass connections that wait at a socket that is closed on to others, as the documentation says.

    Without the right to say so, a connection could come in the microseconds between the last accept and the close.
    """
    before = MIGRATE.read_text()
    try:
        MIGRATE.write_text("1")
    except OSError:
        yield False
        return
    yield True
    MIGRATE.write_text(before)


@pytest.mark.usefixtures("migrated")
async def test_rolling_restart_loses_no_request(redis_flushed: str) -> None:
    """Two processes are replaced one after the other under load; all that was sent is answered by one of them."""
    port, tally, variables = free_port(), Tally(), {"STATS_JWT_SECRET": SECRET, "STATS_REDIS_URL": redis_flushed}
    variables |= {"STATS_RATE_LIMIT": "0", "STATS_HTTP_REUSE_PORT": "true", "STATS_HTTP_DRAIN_SECONDS": "0"}

    async with AsyncExitStack() as stack:

        async def start() -> tuple[asyncio.subprocess.Process, int]:
            own_port = free_port()
            ports = {"STATS_HTTP_PORT": str(port), "STATS_HTTP_OWN_PORT": str(own_port)}
            process = await stack.enter_async_context(started(**variables, **ports))
            await logged(process, "listening")
            return process, own_port

        async def more(answers: int) -> None:
            until = tally.answered + answers
            while tally.answered < until:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.001)

        running = [await start(), await start()]
        clients = [asyncio.create_task(keep_asking(port, tally)) for _ in range(8)]
        await more(200)
        for _ in range(2):
            process, _ = running.pop(0)
            process.terminate()
            assert await process.wait() == 0
            await more(200)
            running.append(await start())
        assert not any(client.done() for client in clients)
        for process, _ in running:
            process.terminate()
            assert await process.wait() == 0
        await asyncio.gather(*clients)
        assert (tally.lost, tally.closed >= 16) == (0, True)


async def test_each_process_is_seen_on_its_own_port(redis_flushed: str) -> None:
    """Requests on the shared port are spread, and each process' metrics count its own."""
    port, own_ports = free_port(), [free_port(), free_port()]
    variables = {"STATS_JWT_SECRET": SECRET, "STATS_REDIS_URL": redis_flushed, "STATS_HTTP_REUSE_PORT": "true"}
    variables |= {"STATS_HTTP_PORT": str(port)}
    async with AsyncExitStack() as stack:
        for own_port in own_ports:
            process = await stack.enter_async_context(started(**variables, STATS_HTTP_OWN_PORT=str(own_port)))
            await logged(process, "listening")
        for _ in range(60):  # each on a connection of its own
            async with aiohttp.request("GET", f"http://127.0.0.1:{port}/healthz") as response:
                assert response.status == 200
        counted = []
        for own_port in own_ports:
            async with aiohttp.request("GET", f"http://127.0.0.1:{own_port}/metrics") as page:
                lines = (await page.text()).splitlines()
            requests = [line.split() for line in lines if line.startswith("stats_http_requests_total{")]
            counted.append(sum(float(number) for _, number in requests))
        assert sum(counted) == 60
        assert min(counted) > 0


async def test_a_port_that_is_not_shared_is_not_joined() -> None:
    """Both must share it; a process that was started twice by mistake is told."""
    [first] = await bind("127.0.0.1", 0)
    with closing(first), pytest.raises(OSError, match="in use"):
        await bind("127.0.0.1", first.getsockname()[1], is_shared=True)


async def test_waiting_connections_move_to_the_other_socket(migrated: bool) -> None:
    """What the documentation says of net.ipv4.tcp_migrate_req."""
    if not migrated:
        pytest.skip("net.ipv4.tcp_migrate_req cannot be set here")
    [closes] = await bind("127.0.0.1", 0, is_shared=True)
    [stays] = await bind("127.0.0.1", closes.getsockname()[1], is_shared=True)
    with closing(stays), ExitStack() as stack:
        for _ in range(40):
            client = stack.enter_context(socket.create_connection(stays.getsockname()))
            client.sendall(b"GET")
        closes.close()
        stays.settimeout(10)
        for _ in range(40):
            accepted, _ = stays.accept()
            assert accepted.recv(3) == b"GET"
            accepted.close()
