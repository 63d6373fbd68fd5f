"""CloudEvents on a real topic: consumers, rebuilds and replays give the same verdict."""

import json
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue, WrittenLetters
from consumers.kafka.record_batches import Content, Header, write_records
from deploy.local.waiting import eventually
from tests.commands.support import run
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import Event, record_of, running_consumer
from tests.consumers.test_rebuild import rebuilt
from tests.store.support import event

BINARY: list[Header] = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"/s"), ("ce_type", b"t")]
STRUCTURED: list[Header] = [("content-type", b"application/cloudevents+json; charset=utf-8")]


def structured(each: Event) -> Content:
    """An event in a CloudEvent, without an id of its own."""
    key, value = record_of(each)
    data: dict[str, Any] = json.loads(value or b"")
    del data["event_id"]
    envelope = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": data}
    return key, json.dumps(envelope).encode(), STRUCTURED


async def test_every_reader_gives_the_same_verdict(
    redis_flushed: str, make_settings: MakeSettings, producer: AIOKafkaProducer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both modes count, also a second event of a job; what is none is a dead letter, in a rebuild as well, and stays.

    A letter that this version takes goes back with its headers, and counts.
    """
    settings = make_settings(redis_flushed)
    events = [event(1), event(1, sequence=5), event(2), event(3), event(3, sequence=7)]
    contents: list[Content] = [
        (*record_of(events[0]), []),
        structured(events[1]),
        structured(events[2]),
        (*record_of(events[3]), [("trace", b"x"), *BINARY]),
        (*record_of(events[4]), BINARY),
        (*record_of(event(4)), BINARY[1:]),
        (*record_of(event(4)), STRUCTURED),
        (*record_of(event(4)), [("content-type", b"application/cloudevents-batch+json")]),
        (record_of(event(1, sequence=9))[0], record_of(event(1, sequence=9))[1], [*BINARY, *BINARY]),
    ]
    assert await write_records(producer, settings.kafka_topic, {0: contents}) == {}
    async with running_consumer(settings) as running:
        await running.wait_counted(events)
        await eventually(
            lambda: (
                running.count("dead_letters", reason="bad_cloud_event") == 3
                and running.count("dead_letters", reason="unsupported_content") == 1
            ),
            "four dead letters",
        )
        assert (await rebuilt(settings)).dead_letters == {"bad_cloud_event": 3, "unsupported_content": 1}
        await running.wait_counted(events)
        key, value, headers = structured(event(5))
        letter = DeadLetter(settings.kafka_topic, 0, 99, 1, key, value, headers, "missing_field", "d")
        await DeadLetterQueue(producer, settings.kafka_dead_letter_topic, WrittenLetters()).send([letter])
        result = await run(settings, capsys, "replay-dead-letters", "--json")
        assert (result.code, result.document["found"], result.document["sent"]) == (1, 5, 1)
        await running.wait_counted([*events, event(5)])
