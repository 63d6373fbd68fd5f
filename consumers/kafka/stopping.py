"""The end of Kafka clients, whatever their broker does: no task of theirs goes on, and no connection stays open.

The library's stop() waits for the broker's answers, for ever if none comes. Given up on the way it leaves a reader
behind that fetches for nobody, through connections that it opens anew.
"""

import asyncio
import logging

from aiokafka import AIOKafkaClient, AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumers.kafka.aiokafka_private import Reader, connections_of, tasks_of
from consumers.waiting import cancel

_STOP_SECONDS = 2.0  # of each client; with the last commit a consumer's end stays well within 10 s
_CANCEL_SECONDS = 0.2

_log = logging.getLogger(__name__)


async def stop_client(
    client: Reader | AIOKafkaProducer | AIOKafkaClient, within_seconds: float = _STOP_SECONDS
) -> None:
    """Stops a client; what it has not done in time is given up. Raises what stop() raises that is no KafkaError."""
    stopping = asyncio.ensure_future(client.close() if isinstance(client, AIOKafkaClient) else client.stop())
    await asyncio.wait([stopping], timeout=within_seconds)
    stopping.cancel()
    await asyncio.wait([stopping])
    error = asyncio.CancelledError() if stopping.cancelled() else stopping.exception()
    await _end(client)
    # a cancellation may be the library's own, of a task that its broker was asked in
    if isinstance(error, (KafkaError, asyncio.CancelledError)):
        _log.warning("a Kafka client did not stop cleanly", extra={"error": repr(error)})
    elif error is not None:
        raise error


async def _end(client: Reader | AIOKafkaProducer | AIOKafkaClient) -> None:
    connections, tasks = connections_of(client), tasks_of(client)
    await cancel(tasks)
    closing = asyncio.ensure_future(connections.close())
    await asyncio.wait([closing], timeout=_CANCEL_SECONDS)  # it closes all at once, and waits for what is unsent
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
