"""Traces of real processes, as a collector gets them: of an event, of a question, and what is not in them."""

import json
import signal
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from deploy.local.servers import free_port
from deploy.local.tokens import sign_token
from deploy.local.waiting import eventually
from service.events.event import JobEvent
from tests.end_to_end.asking import SECRET
from tests.end_to_end.system import System
from tests.servers import Processes
from tests.tracing.receiver import Receiver, receiving, texts_of
from tests.tracing.support import SAMPLED, TRACE_ID, UNSAMPLED, Headers, events_of, publish

ROUTE = "/v2.0/{project_id}/gene/statistics"
PROJECT, QUESTION = "acme", ("acme", None, None, None)
AT_ONCE = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture
async def system(processes: Processes, environment: dict[str, str], receiver: Receiver) -> AsyncIterator[System]:
    """The system, which sends its traces to the receiver."""
    settings = {**environment, **AT_ONCE, "STATS_OTLP_ENDPOINT": receiver.endpoint}
    async with aiohttp.ClientSession() as http:
        yield System(processes, settings, http)


async def test_an_event_is_followed_into_redis(
    system: System, receiver: Receiver, kafka_bootstrap: str, topic: str
) -> None:
    """A batch is one trace, linked to each sampled trace of its records: poll, decode, dead letters, the writes.

    A batch of traces that nobody samples is in none.
    """
    await system.start_consumer()
    await system.start_service()
    unsampled: Headers = [("traceparent", UNSAMPLED.encode())]
    [alone] = events_of("other", 1)
    published_ms = await publish(kafka_bootstrap, topic, [(alone, unsampled)])
    await system.ask_as_of(("other", None, None, None), published_ms)
    [first, *others] = events_of(PROJECT, 30)
    headers: Headers = [("traceparent", SAMPLED.encode())]
    records: list[tuple[JobEvent | bytes, Headers]] = [(first, headers), (b"no event", headers)]
    records += [(each, unsampled) for each in others]
    published_ms = await publish(kafka_bootstrap, topic, records)
    await system.ask_as_of(QUESTION, published_ms)
    await receiver.wait_for(lambda: receiver.named(f"process {topic}"), "a batch")
    [batch] = receiver.named(f"process {topic}")
    assert [(each.trace_id.hex(), each.span_id.hex()) for each in batch.links] == [(TRACE_ID, SAMPLED.split("-")[2])]
    assert (batch.kind, batch.parent_span_id) == (batch.SPAN_KIND_CONSUMER, b"")
    told = texts_of(batch)
    assert (told["messaging.system"], told["messaging.batch.message_count"]) == ("kafka", 31)
    assert told["messaging.destination.name"] == topic
    await receiver.wait_for(lambda: len(receiver.children_of(batch)) == 3, "all below a batch")
    poll, decode, apply = receiver.children_of(batch)
    assert (poll.name, decode.name, apply.name) == (f"poll {topic}", "decode", "apply")
    letters, *writes = receiver.children_of(apply)
    assert (letters.name, {each.name for each in writes}) == (f"send {topic}.dead-letters", {"EVALSHA"})
    stripes = [texts_of(event) for write in writes for event in write.events]
    assert sum(int(each["stats.jobs"]) for each in stripes) == 30
    assert {each.trace_id for each in (poll, decode, apply, letters, *writes)} == {batch.trace_id}
    assert batch.start_time_unix_nano <= poll.start_time_unix_nano <= decode.start_time_unix_nano
    assert apply.end_time_unix_nano <= batch.end_time_unix_nano
    await receiver.wait_for(lambda: len(receiver.services) == 2, "both processes")
    assert receiver.services == {"gene-statistics-consumer", "gene-statistics-api"}


async def test_a_question_goes_on_with_its_callers_trace(
    system: System, receiver: Receiver, kafka_bootstrap: str, topic: str
) -> None:
    """The server's span is in the caller's trace, with what it has waited for; an unsampled one has none at all.

    The span of a stream ends when its first event is ready.
    """
    published_ms = await publish(kafka_bootstrap, topic, [(each, []) for each in events_of(PROJECT, 3)])
    await system.start_consumer()
    await system.start_service()
    await system.ask_as_of(QUESTION, published_ms)
    name = f"GET {ROUTE}"
    token = sign_token(
        SECRET, user_id="user-1", name="somebody", project_id=PROJECT, role="te_admin", now_seconds=int(time.time())
    )
    url = f"http://127.0.0.1:{system.api_port}/v2.0/{PROJECT}/gene/statistics"
    async with aiohttp.ClientSession(headers={"X-Auth-Token": token}) as http:
        for number, traceparent in enumerate((UNSAMPLED, SAMPLED)):
            query = {"end": str(published_ms + number)}  # an answer that is remembered takes no sums
            async with http.get(url, params=query, headers={"traceparent": traceparent}) as answer:
                assert answer.status == 200
        async with http.get(f"{url}/user-text", headers={"traceparent": SAMPLED}) as answer:
            assert answer.status == 404
        stream_trace = "c" * 32
        async with http.get(f"{url}/stream", headers={"traceparent": f"00-{stream_trace}-{'d' * 16}-01"}) as answer:
            await answer.content.readuntil(b"event: as_of\n")  # the project has been looked at by now
            await receiver.wait_for(lambda: receiver.named(f"{name}/stream"), "the span of a stream that is open")
    [stream] = receiver.named(f"{name}/stream")
    assert stream.trace_id.hex() == stream_trace
    assert [each.name for each in receiver.children_of(stream)] == ["auth", "read"]
    assert all(each.parent_span_id for each in receiver.named("MGET"))  # looks make none

    def in_trace(trace_id: str) -> dict[str, object]:
        return {span.name: span for span in receiver.spans if span.trace_id.hex() == trace_id}

    await receiver.wait_for(lambda: name in in_trace(TRACE_ID) and "GET" in in_trace(TRACE_ID), "both questions")
    assert not in_trace(UNSAMPLED.split("-")[1])
    [server] = [span for span in receiver.named(name) if span.trace_id.hex() == TRACE_ID]
    assert (server.parent_span_id.hex(), server.kind) == (SAMPLED.split("-")[2], server.SPAN_KIND_SERVER)
    told = texts_of(server)
    assert (told["http.request.method"], told["http.route"], told["http.response.status_code"]) == ("GET", ROUTE, 200)
    assert [each.name for each in receiver.children_of(server)] == ["auth", "read"]
    read = receiver.children_of(server)[1]
    assert {each.name for each in receiver.children_of(read)} == {"MGET", "sums"}
    everything = "".join(map(str, receiver.spans))
    for secret in (token, token[:40], "somebody", "test", "user-1", "user-text", PROJECT):
        assert secret not in everything


async def test_a_collector_that_is_away_changes_nothing(
    processes: Processes, environment: dict[str, str], kafka_bootstrap: str, topic: str
) -> None:
    """Events count, questions are answered, the log says it once, and a stop takes no longer than it may."""
    environment |= {**AT_ONCE, "STATS_OTLP_ENDPOINT": f"http://user:s3cr3t@127.0.0.1:{free_port()}"}
    async with aiohttp.ClientSession() as http:
        system = System(processes, environment, http)
        consumer, service = await system.start_consumer(), await system.start_service()
        for event in events_of(PROJECT, 3):
            await system.ask_as_of(QUESTION, await publish(kafka_bootstrap, topic, [(event, [])]))
        said = "traces cannot be sent; they are dropped"
        await eventually(lambda: bool(consumer.log_lines(said)), "it says that nobody takes traces")
    for child in (consumer.child, service):
        child.process.send_signal(signal.SIGTERM)
        assert child.process.wait(20) == 0, child.tail()
        text = child.log_path.read_text()
        assert "s3cr3t" not in text
        lines = [json.loads(line) for line in text.splitlines()]
        assert sum(line["message"].startswith("traces cannot be sent") for line in lines) <= 1
        assert not [line for line in lines if line["logger"].startswith("opentelemetry")]


async def test_what_is_not_sent_yet_is_sent_at_the_end(
    processes: Processes, environment: dict[str, str], kafka_bootstrap: str, topic: str
) -> None:
    """A process that stops sends its spans first; an endpoint may be the whole address."""
    async with receiving() as receiver, aiohttp.ClientSession() as http:
        environment |= {"STATS_OTLP_ENDPOINT": f"{receiver.endpoint}/v1/traces", "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        system = System(processes, environment, http)
        consumer = await system.start_consumer()
        await publish(kafka_bootstrap, topic, [(each, []) for each in events_of(PROJECT, 3)])

        async def are_read() -> bool:
            return await system.records_read(consumer) == 3

        await eventually(are_read, "all records are read")
        assert not receiver.spans
        consumer.child.process.send_signal(signal.SIGTERM)
        await receiver.wait_for(lambda: receiver.named(f"process {topic}"), "a batch")
        assert consumer.child.process.wait(20) == 0
