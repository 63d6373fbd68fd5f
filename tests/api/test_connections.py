"""Connections: where they are accepted, and how many."""

import asyncio
import logging
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from service.http.connections import ConnectionLimits, party
from service.http.metrics import METRICS, HttpMetrics
from service.http.server import serving
from tests.api.support import Api, served


async def is_served(api: Api, client: socket.socket) -> bool:
    """Whether a connection gets an answer; False where it has been closed."""
    loop = asyncio.get_running_loop()
    client.setblocking(False)
    try:
        await loop.sock_sendall(client, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        return (await loop.sock_recv(client, 100)).startswith(b"HTTP/1.1 200 ")
    except ConnectionError:
        return False


def connected(api: Api, address: str) -> socket.socket:
    """A connection from an address of this machine."""
    return socket.create_connection(("127.0.0.1", api.port), source_address=(address, 0))


async def metric(api: Api, name: str) -> float:
    """The value of a metric."""
    async with api.client.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


@contextmanager
def few_files(number: int) -> Iterator[None]:
    """This process may open that many files more, and no other."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as lowest:
        next_file = lowest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_file + number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_a_host_every_address_is_listened_on() -> None:
    """Without a host IPv4 and IPv6 are served on one port; a client with IPv4 has its own address."""
    app = web.Application()
    app[METRICS] = HttpMetrics(CollectorRegistry())
    async with serving(app, None, 0) as port, aiohttp.ClientSession() as client:
        for host in ("127.0.0.1", "[::1]"):
            async with client.get(f"http://{host}:{port}/") as response:
                assert response.status == 404


async def test_a_name_of_several_addresses_has_one_port() -> None:
    """`localhost` is listened on at each of its addresses, on one port."""
    app = web.Application()
    app[METRICS] = HttpMetrics(CollectorRegistry())
    async with serving(app, "localhost", 0) as port, aiohttp.ClientSession() as client:
        for address in {place[4][0] for place in socket.getaddrinfo("localhost", None)}:
            host = f"[{address}]" if ":" in str(address) else address
            async with client.get(f"http://{host}:{port}/") as response:
                assert response.status == 404


async def test_one_address_has_its_share_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    """Above its share an address is refused, other addresses are not; one line of the log tells it, and a metric."""
    async with served(limits=ConnectionLimits(total=6, per_address=2)) as api:
        with ExitStack() as stack:
            clients = [stack.enter_context(connected(api, "127.0.0.2")) for _ in range(5)]
            assert [await is_served(api, client) for client in clients] == [True, True, False, False, False]
            other = stack.enter_context(connected(api, "127.0.0.3"))
            assert await is_served(api, other)
            assert await metric(api, 'stats_http_connections_refused_total{limit="address"}') == 3
            clients[0].close()
            while await metric(api, "stats_http_connections") > 3:
                pass
            again = stack.enter_context(connected(api, "127.0.0.2"))
            assert await is_served(api, again)
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (line.getMessage(), vars(line)["reason"], vars(line)["address"]) == (
        "connections are refused",
        "address",
        "127.0.0.2",
    )


async def test_the_total_is_never_exceeded() -> None:
    """Many addresses together have no more connections than the total."""
    async with served(limits=ConnectionLimits(total=4, per_address=2)) as api:
        with ExitStack() as stack:
            clients = [stack.enter_context(connected(api, f"127.0.0.{host}")) for host in range(2, 8)]
            assert [await is_served(api, client) for client in clients] == [True] * 4 + [False] * 2


async def test_without_files_the_log_stays_short(caplog: pytest.LogCaptureFixture) -> None:
    """When the process can open no file, one line says so, and connections are accepted once it can again."""
    async with served() as api:
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.socket()) for _ in range(20)]
            with few_files(3):
                for client in clients:
                    client.setblocking(False)
                    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", api.port))
                while not caplog.records:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.01)
            assert [await is_served(api, client) for client in clients] == [True] * 20
    assert caplog.messages == ["connections cannot be accepted"]


def test_limits_stay_below_the_files_of_the_process() -> None:
    """The limits follow the limit of open files, and end at 10,000."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = []
    for files in (300, 1024, 16_000):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        limits.append(ConnectionLimits.of_process())
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert limits == [ConnectionLimits(150, 37), ConnectionLimits(768, 192), ConnectionLimits(10_000, 2_500)]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_network_is_one_party(address: str, expected: str) -> None:
    """Addresses of one /64 network count together; IPv4 is itself, also where the socket has IPv6."""
    assert party(address) == expected
