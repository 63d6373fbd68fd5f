"""Publishes job events, so that a job's events stay together and each counts once."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from math import inf
from types import TracebackType
from typing import Any, Self

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from aiokafka.partitioner import DefaultPartitioner

from gene_statistics.errors import AlreadyOpenError, PublisherClosedError, PublishError, PublishTimeoutError
from gene_statistics.event import JobEvent, deletion_key
from gene_statistics.kafka import (
    Compression,
    SaslMechanism,
    SecurityProtocol,
    may_pass,
    security_options,
    topic_options,
)
from gene_statistics.producers import Producers
from gene_statistics.texts import kind_of

# An event has at most 2.5 KB, so the bytes are bounded too. With more, aiokafka would wake all that wait for room in a
# batch whenever one is sent, and some would never get in.
_MOST_UNDER_WAY = 1_000
_AT_ONCE = 5_000
_BATCH_BYTES = 256 * 1024
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Delivery:
    """Says where the brokers keep a record; the topic's retention runs from its `timestamp_ms`."""

    partition: int
    offset: int
    timestamp_ms: int


class EventPublisher:
    """Publishes events of jobs to the service's topic, and deletes jobs. Use it with `async with`.

    A record's partition is that of Java's default partitioner (murmur2), and its time is the present. A batch is
    acknowledged by all replicas in sync. Many publishes at once share batches; of more than 1,000 the others wait.
    """

    def __init__(  # noqa: PLR0913 - the settings of the service, by their names
        self,
        bootstrap_servers: str = "localhost:9092",
        *,
        topic: str = "gene-job-events",
        security_protocol: SecurityProtocol = "PLAINTEXT",
        sasl_mechanism: SaslMechanism | None = None,
        sasl_username: str | None = None,
        sasl_password: str | None = None,
        ssl_cafile: str | None = None,
        ssl_certfile: str | None = None,
        ssl_keyfile: str | None = None,
        compression: Compression | None = "zstd",
        idempotence: bool | None = None,
        deadline_seconds: float = 30.0,
    ) -> None:
        """Takes the service's Kafka settings by their names; raises ValueError for one that cannot be.

        With `idempotence` None no event is written twice where the brokers can see to that; with True brokers that
        cannot are an error. `deadline_seconds` is how long the start, one publish, and closing may take.
        """
        security = security_options(
            security_protocol=security_protocol,
            sasl_mechanism=sasl_mechanism,
            sasl_username=sasl_username,
            sasl_password=sasl_password,
            ssl_cafile=ssl_cafile,
            ssl_certfile=ssl_certfile,
            ssl_keyfile=ssl_keyfile,
        )
        if not 0 < deadline_seconds < inf:
            raise ValueError("deadline_seconds: more than 0, and finite")
        options = {
            **topic_options(bootstrap_servers, topic, compression),
            "client_id": "gene_statistics",
            "acks": "all",
            "partitioner": DefaultPartitioner(),
            "max_batch_size": _BATCH_BYTES,
            "request_timeout_ms": max(1, int(deadline_seconds * 1000 / 2)),  # so that another broker has its turn
            **security,
        }
        self._topic = topic
        self._deadline_seconds = deadline_seconds
        self._producers = Producers(options, idempotence, deadline_seconds)
        self._places = asyncio.Semaphore(_MOST_UNDER_WAY)
        self._is_open = False
        self._calls = 0
        self._idle = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Connects; see `start`."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes; see `close`."""
        await self.close()

    async def start(self) -> None:
        """Connects to the brokers; raises PublishError if they refuse, or none answers before the deadline.

        Raises AlreadyOpenError if it is open.
        """
        if self._is_open:
            raise AlreadyOpenError("the publisher is open already: make another one")
        await self._producers.current()
        self._is_open = True

    async def close(self) -> None:
        """Takes no more events, waits for what is under way until the deadline, and closes all connections."""
        self._is_open = False
        if self._calls:
            self._idle.clear()
            await self._idle.wait()  # each call has its deadline
        await self._producers.close()

    async def publish(self, event: JobEvent) -> Delivery:
        """Returns once the brokers have the event, with where it lies.

        Raises PublishError, at the latest after the deadline. If it raises, or is cancelled, the event may have been
        written or not: publish it again, as an event counts once however often it is there.
        """
        return await self._publish(event.key, event.value)

    async def delete(self, project_id: str, job_id: str) -> Delivery:
        """Deletes a job for good: no event of it counts again, older or newer. Otherwise as `publish`.

        Raises InvalidEventError, before anything is sent, if no job can have this name.
        """
        return await self._publish(deletion_key(project_id, job_id), None)

    async def publish_many(self, events: Iterable[JobEvent]) -> list[Delivery]:
        """Returns once the brokers have all of the events, with where each lies.

        It takes from the iterable as the brokers take from it. The deadline holds for each 5,000 events, between which
        closing ends it. Raises PublishError for the first that failed, once it is known of the others too; some of
        them may have been written.
        """
        self._begin()
        try:
            deliveries: list[Delivery] = []
            remaining = iter(events)
            while some := list(islice(remaining, _AT_ONCE)):
                self._check_open()
                deliveries += await self._deliver([(event.key, event.value) for event in some])
            return deliveries
        finally:
            self._end()

    async def _publish(self, key: bytes, value: bytes | None) -> Delivery:
        self._begin()
        try:
            [delivery] = await self._deliver([(key, value)])
            return delivery
        finally:
            self._end()

    def _begin(self) -> None:
        self._check_open()
        self._calls += 1

    def _end(self) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    def _check_open(self) -> None:
        if not self._is_open:
            raise PublisherClosedError("the publisher is not open: use it within `async with`")

    async def _deliver(self, records: list[tuple[bytes, bytes | None]]) -> list[Delivery]:
        """Sends records in their order, and awaits all acknowledgements. Raises PublishError.

        What brokers do not take now, but may take later, is sent again until the deadline.
        """
        outcomes: list[Delivery | KafkaError | None] = [None] * len(records)
        error: KafkaError | None = None
        try:
            async with asyncio.timeout(self._deadline_seconds) as deadline:
                while missing := [at for at, outcome in enumerate(outcomes) if not isinstance(outcome, Delivery)]:
                    if error is not None:
                        await asyncio.sleep(_PAUSE_SECONDS)
                    producer = await self._producers.current()
                    tried = await self._try(producer, [records[at] for at in missing])
                    for at, outcome in zip(missing, tried, strict=True):
                        outcomes[at] = outcome
                    errors = [outcome for outcome in outcomes if isinstance(outcome, KafkaError)]
                    if errors:
                        self._producers.replace(producer)
                        error = next((each for each in errors if not may_pass(each)), errors[0])
                        if not may_pass(error):
                            raise self._explain(error) from error
        except TimeoutError as late:
            if not deadline.expired():
                raise  # a producer that could not be started says so itself
            last = f" (last: {kind_of(error)})" if error else ""
            raise PublishTimeoutError(
                f"the brokers had not acknowledged an event of topic {self._topic} after {self._deadline_seconds:g} s"
                f"{last}. It may be written later; to publish it again is harmless"
            ) from error or late
        return [outcome for outcome in outcomes if isinstance(outcome, Delivery)]

    async def _try(self, producer: Any, records: list[tuple[bytes, bytes | None]]) -> list[Delivery | KafkaError]:
        """Sends records once; returns what became of each. After one that cannot be sent no other is."""
        sent: list[tuple[asyncio.Future[Any], int]] = []
        refused: KafkaError | None = None
        try:
            for key, value in records:
                now_ms = time.time_ns() // 1_000_000
                sent.append((await self._send(producer, key, value, now_ms), now_ms))
        except KafkaError as error:
            refused = error
        outcomes: list[Delivery | KafkaError] = []
        for future, sent_ms in sent:
            try:
                outcomes.append(_delivery(await future, sent_ms))
            except KafkaError as error:
                outcomes.append(error)
        return outcomes + [refused] * (len(records) - len(sent)) if refused else outcomes

    async def _send(self, producer: Any, key: bytes, value: bytes | None, now_ms: int) -> asyncio.Future[Any]:
        await self._places.acquire()
        try:
            future: asyncio.Future[Any] = await producer.send(self._topic, value, key, timestamp_ms=now_ms)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(self._leave)
        return future

    def _leave(self, future: asyncio.Future[Any]) -> None:
        self._places.release()
        if not future.cancelled():
            future.exception()  # another event's may be the one that is raised

    def _explain(self, error: KafkaError) -> PublishError:
        if isinstance(error, UnknownTopicOrPartitionError):
            what = "it does not exist, or this user may not see it: create it, or allow Describe and Write"
        elif isinstance(error, TopicAuthorizationFailedError):
            what = "this user may not write to it: allow Write"
        else:
            what = kind_of(error)
        return PublishError(f"an event was not taken by topic {self._topic}: {what}")


def _delivery(written: Any, sent_ms: int) -> Delivery:
    # the library gives all records of a batch the time of its first one, unless the brokers set the time
    return Delivery(written.partition, written.offset, written.timestamp if written.timestamp_type else sent_ms)
