"""The consumer's health and metrics server, over real HTTP on a port of its own."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from consumers.health import Pulse, serve_health
from consumers.metrics import ConsumerMetrics


class Waiting:
    """What a process waits for, as a test sets it."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def not_ready(self) -> Sequence[str]:
        return self.names


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pulse(clock: Clock) -> Pulse:
    return Pulse(clock)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
async def client(registry: CollectorRegistry, waiting: Waiting, pulse: Pulse) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serve_health("127.0.0.1", 0, registry, waiting.not_ready, pulse) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield session


async def test_readiness_names_what_is_missing(client: aiohttp.ClientSession, waiting: Waiting) -> None:
    """Not ready is 503 with the names of what is missing; the process lives all the same; then it is 200."""
    waiting.names = ["redis", "partitions"]
    async with client.get("/readyz") as response:
        assert response.status == 503
        assert await response.json() == {"status": "not ready", "not_ready": ["redis", "partitions"]}
    async with client.get("/healthz") as response:
        assert response.status == 200
        assert await response.json() == {"status": "alive"}
    waiting.names = []
    async with client.get("/readyz") as response:
        assert response.status == 200
        assert await response.json() == {"status": "ready"}


async def test_a_loop_that_has_not_turned_for_a_minute_is_not_alive(
    client: aiohttp.ClientSession, clock: Clock, pulse: Pulse
) -> None:
    """Then only a new process helps; one turn, and it is alive again."""
    for seconds, status, body in ((59.0, 200, "alive"), (60.0, 503, "stuck")):
        clock.seconds = 1_000.0 + seconds
        async with client.get("/healthz") as response:
            assert response.status == status
            assert await response.json() == {"status": body}
    pulse.beat()
    async with client.get("/healthz") as response:
        assert response.status == 200


async def test_metrics_are_served_for_prometheus(client: aiohttp.ClientSession, registry: CollectorRegistry) -> None:
    """A scrape gives the registry's metrics in Prometheus' text format, with help texts."""
    metrics = ConsumerMetrics(registry)
    metrics.records.inc(3)
    metrics.dead_letters.labels("not_json").inc()
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        lines = (await response.text()).splitlines()
    assert "stats_consumer_records_total 3.0" in lines
    assert 'stats_consumer_dead_letters_total{reason="not_json"} 1.0' in lines
    assert "# HELP stats_consumer_records_total Records applied, those among them that came again." in lines


async def test_a_revoked_partition_leaves_no_series(registry: CollectorRegistry) -> None:
    """Lag, watermark and gaps of a partition are gone with it, also where a write of it ends afterwards."""
    metrics = ConsumerMetrics(registry)
    metrics.assign((0, 1, 7))
    for partition in (0, 1):
        metrics.lag_records.note(partition, 5)
        metrics.lag_seconds.note(partition, 1, 2, is_at_end=False)
        metrics.gap_records.labels(partition).set(0)
    with metrics.measuring(0, 0, {0: 1_500, 1: 1_500}):
        metrics.assign((0,))
    assert registry.get_sample_value("stats_consumer_assigned_partitions") == 1
    for name in ("lag_records", "lag_seconds", "watermark_timestamp_seconds", "gap_records"):
        assert registry.get_sample_value(f"stats_consumer_{name}", {"partition": "0"}) is not None
        assert registry.get_sample_value(f"stats_consumer_{name}", {"partition": "1"}) is None


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "english", "chinese"),
    [
        ("GET", "/nothing", 404, "DLI.0023", "No such resource.", "资源不存在。"),
        ("POST", "/healthz", 405, "DLI.0007", "The method is not supported here.", "不支持该请求方法。"),
    ],
)
async def test_errors_are_those_of_the_api(  # noqa: PLR0917 - a row of a table
    client: aiohttp.ClientSession, method: str, path: str, status: int, code: str, english: str, chinese: str
) -> None:
    """An unknown path or method has the API's code, in the caller's language; the latter says what is allowed."""
    for language, message in (("en-us", english), ("zh-cn", chinese)):
        headers = {"X-Language": language, "X-Request-Id": "probe-1"}
        async with client.request(method, path, headers=headers) as response:
            assert response.status == status
            assert await response.json() == {"error_code": code, "error_msg": message}
            assert ("Allow" in response.headers) == (status == 405)
            assert response.headers["X-Request-Id"] == "probe-1"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_head_is_answered_as_get_is(client: aiohttp.ClientSession, path: str) -> None:
    """Load balancers and people look with HEAD."""
    async with client.get(path) as got, client.head(path) as response:
        assert (response.status, await response.read()) == (200, b"")
        assert response.content_type == got.content_type


SCANS = {
    "garbage": b"\x00\xff\xfe garbage \r\n\r\n",
    "a TLS hello": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "another protocol": b"SSH-2.0-scanner\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("sent", SCANS.values(), ids=SCANS.keys())
async def test_a_port_scan_is_answered_and_not_logged(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    """Whoever tries the port gets an error of the API, and the log gets no line of it."""
    caplog.set_level(logging.INFO)
    base = client._base_url
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    writer.write(sent)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    if sent:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["error_code"] == "DLI.0001"
    assert not caplog.records


async def test_without_a_host_it_is_served_at_all_addresses(
    registry: CollectorRegistry, waiting: Waiting, pulse: Pulse
) -> None:
    """One port for IPv4 and IPv6, as far as the machine has it."""
    addresses = ["127.0.0.1", "[::1]"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
    async with serve_health(None, 0, registry, waiting.not_ready, pulse) as port, aiohttp.ClientSession() as session:
        for address in addresses:
            async with session.get(f"http://{address}:{port}/healthz") as response:
                assert response.status == 200


async def test_a_port_in_use_is_an_error(waiting: Waiting, pulse: Pulse) -> None:
    """A process that cannot have its port fails at once, and the port is free again when the server ends."""

    def serve(port: int) -> AbstractAsyncContextManager[int]:
        return serve_health("127.0.0.1", port, CollectorRegistry(), waiting.not_ready, pulse)

    async with serve(0) as port:
        with pytest.raises(OSError, match=str(port)):
            async with serve(port):
                pass
    async with serve(port) as again:
        assert again == port
