"""What tests of traces share: events, and records with the context of a trace."""

import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from consumers.kafka.record_batches import Content, Header, write_records
from service.events.event import JobEvent, JobStatus
from tests.consumers.support import record_of
from tests.end_to_end.publisher import now_ms

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
UNSAMPLED = f"00-{'a' * 32}-{'b' * 16}-00"

Headers = list[Header]


def events_of(project_id: str, count: int) -> list[JobEvent]:
    """Events of so many jobs of one user."""
    started_ms = int(time.time()) * 1_000
    return [
        JobEvent(project_id, f"job-{number}", "user-1", "test", JobStatus.RUNNING, started_ms, started_ms, 10, 1)
        for number in range(count)
    ]


async def publish(bootstrap: str, topic: str, records: Sequence[tuple[JobEvent | bytes, Headers]]) -> int:
    """Publishes events, and values that are none, each with its headers; returns a time after that (Unix ms)."""
    contents: list[Content] = []
    for event, headers in records:
        key, value = (None, event) if isinstance(event, bytes) else record_of(event)
        contents.append((key, value, headers))
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False) as producer:
        assert not await write_records(producer, topic, {0: contents})
    return now_ms() + 1
