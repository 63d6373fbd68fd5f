"""Why Kafka cannot be reached, in words."""

import asyncio
import socket
import ssl

import pytest
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, RequestTimedOutError

from consumers.kafka.absence import why_away
from consumers.kafka.aiokafka_private import BootstrapError
from deploy.local.servers import free_port


async def why(server: str) -> str:
    """What is said of servers at which no client can begin."""
    client = AIOKafkaClient(bootstrap_servers=server, request_timeout_ms=300)
    try:
        with pytest.raises(KafkaError) as raised:
            await client.bootstrap()
    finally:
        await client.close()
    return why_away(raised.value, {})


async def test_a_port_where_nobody_listens() -> None:
    """The address, and that it refuses."""
    server = f"127.0.0.1:{free_port()}"
    assert await why(server) == f"{server}: the connection is refused"
    assert await why(server.replace("127.0.0.1", "localhost")) == (
        f"{server.replace('127.0.0.1', 'localhost')}: the connection is refused"
    )


async def test_a_name_that_nobody_knows() -> None:
    """The name, and that it is DNS."""
    assert await why("kafka.invalid:9092") == "kafka.invalid:9092: the name is not known (DNS)"


async def test_a_server_that_is_silent_and_one_that_hangs_up() -> None:
    """Each of the servers of the settings is told of."""

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel connects, and nobody reads
        async with await asyncio.start_server(hang_up, "127.0.0.1") as rude:
            places = ["{}:{}".format(*each.getsockname()) for each in (silent, rude.sockets[0])]
            said = await why(",".join(places))
    assert sorted(said.split("; ")) == sorted(
        [f"{places[0]}: no answer in time", f"{places[1]}: the connection was ended by the other side"]
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "TLS fails"),
        (OSError(113, "No route to host"), "No route to host"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111]"), "the connection is refused"),
        (KafkaConnectionError("something else"), "KafkaConnectionError('something else')"),
    ],
)
def test_other_reasons(error: Exception, reason: str) -> None:
    """What has no words of ours keeps its own."""
    assert why_away(BootstrapError([("a:1", error)]), {}).startswith(f"a:1: {reason}")


def test_a_client_that_has_nobody_left_says_who_was_not_reached() -> None:
    """Its own error names nobody; at most five addresses are named."""
    others = {f"kafka-{each}:9092": ConnectionRefusedError() for each in range(2)}
    said = why_away(NodeNotReadyError("1"), others)
    assert said.endswith("; kafka-0:9092: the connection is refused; kafka-1:9092: the connection is refused")
    assert why_away(RequestTimedOutError(), {}) == "no answer in time"
    many: dict[str, Exception] = {f"kafka-{each}:9092": socket.gaierror(-2, "Name") for each in range(50)}
    assert why_away(RequestTimedOutError(), many).endswith("kafka-4:9092: the name is not known (DNS); ...")
