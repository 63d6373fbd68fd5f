"""Both processes under OpenTelemetry's agent, which operators' webhooks inject: it changes nothing of what they do."""

import json
import signal

import aiohttp

from service.events.event import JobEvent
from tests.end_to_end.system import System
from tests.oracle import Oracle
from tests.servers import Processes
from tests.tracing.receiver import Receiver
from tests.tracing.support import SAMPLED, Headers, events_of, publish

_ROUTE = "/v2.0/{project_id}/gene/statistics"


async def test_events_are_counted_and_questions_answered(
    instrumented: Processes, environment: dict[str, str], receiver: Receiver, kafka_bootstrap: str, topic: str
) -> None:
    """All events count, those with odd headers too; traces of questions and of Redis come; SIGTERM ends with 0."""
    agent = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    events = events_of("acme", 48)
    odd: list[Headers] = [[], [("traceparent", SAMPLED.encode())], [("traceparent", b"\xff")], [("traceparent", None)]]
    records: list[tuple[JobEvent | bytes, Headers]] = [(event, odd[at % 4]) for at, event in enumerate(events)]
    published_ms = await publish(kafka_bootstrap, topic, [*records, (b"no event", [("traceparent", b"\xff")])])
    async with aiohttp.ClientSession() as http:
        system = System(instrumented, {**environment, **agent}, http)
        consumer, service = await system.start_consumer(), await system.start_service()
        body = await system.ask_as_of(("acme", None, None, None), published_ms)
    assert body == Oracle(events).answer("acme")
    await receiver.wait_for(lambda: receiver.named(f"GET {_ROUTE}"), "a question")
    await receiver.wait_for(lambda: receiver.named("EVALSHA"), "a batch in Redis")
    for child in (consumer.child, service):
        child.process.send_signal(signal.SIGTERM)
        assert child.process.wait(20) == 0, child.tail()
        lines = [json.loads(line) for line in child.log_path.read_text().splitlines()]
        assert not [line for line in lines if "traceback" in line]
