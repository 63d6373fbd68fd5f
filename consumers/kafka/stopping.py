"""Stops Kafka clients, whatever their broker does: no task of a client goes on, and no connection stays open.

The library's stop() waits for the broker's answers, for ever if none comes. If stop() is given up, a reader goes on
fetching for nobody, through connections that it opens anew.
"""

import asyncio
import logging

from aiokafka import AIOKafkaClient, AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumers.kafka.aiokafka_private import Reader, connections_of, tasks_of
from service.runtime.tasks import cancel

_STOP_SECONDS = 2.0  # for each client; with the last commit a consumer ends well within 10 s
_CANCEL_SECONDS = 0.2

_log = logging.getLogger(__name__)


async def stop_client(
    client: Reader | AIOKafkaProducer | AIOKafkaClient, within_seconds: float = _STOP_SECONDS
) -> None:
    """Stops a client, and gives up what the client has not done in time.

    Raises what the client's stop() raises, unless that is a KafkaError.
    """
    stopping = asyncio.ensure_future(client.close() if isinstance(client, AIOKafkaClient) else client.stop())
    await asyncio.wait([stopping], timeout=within_seconds)
    is_given_up = stopping.cancel()
    await asyncio.wait([stopping])
    error = asyncio.CancelledError() if stopping.cancelled() else stopping.exception()
    await _end(client)
    if is_given_up and isinstance(error, asyncio.CancelledError):  # as where the group waits for another member
        _log.info("a Kafka client was ended before its broker had answered")
    # the cancellation may be the library's own, of a task in which it asked its broker
    elif isinstance(error, (KafkaError, asyncio.CancelledError)):
        _log.warning("a Kafka client did not stop cleanly", extra={"error": repr(error)})
    elif error is not None:
        raise error


async def _end(client: Reader | AIOKafkaProducer | AIOKafkaClient) -> None:
    connections, tasks = connections_of(client), tasks_of(client)
    await cancel(tasks)
    closing = asyncio.ensure_future(connections.close())
    await asyncio.wait([closing], timeout=_CANCEL_SECONDS)  # all are closed at once; then it waits for what is unsent
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
