"""`replay-dead-letters`: what is an event by now goes back whole; what is none stays."""

import time
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from consumers.dead_letters import DeadLetter, DeadLetterQueue, Header
from consumers.decoding import Reason
from consumers.letters import parse_letter
from service.events import JobDeletion
from service.settings import ConsumerSettings
from tests.commands.support import run
from tests.conftest import MakeTopic
from tests.integration.support import Event, publish, record_of, running_consumer
from tests.integration.test_dead_letters import read_all
from tests.store.support import event

Capture = pytest.CaptureFixture[str]
OWN: list[Header] = [("trace", b"\x00\xff"), ("none", None), ("dead-letter-reason", b"of an earlier time")]


@pytest.fixture
async def settings(kafka_bootstrap: str, make_topic: MakeTopic, redis_flushed: str) -> ConsumerSettings:
    """Two topics of their own, and an empty store."""
    return ConsumerSettings.model_validate(
        {
            "kafka_bootstrap_servers": kafka_bootstrap,
            "kafka_topic": await make_topic(partitions=2),
            "kafka_dead_letter_topic": await make_topic(partitions=2),
            "redis_url": redis_flushed,
        }
    )


class Letters:
    """Writes dead letters as a consumer does."""

    def __init__(self, producer: AIOKafkaProducer, settings: ConsumerSettings) -> None:
        self._queue = DeadLetterQueue(producer, settings.kafka_dead_letter_topic)
        self._topic = settings.kafka_topic

    async def write(self, each: Event | bytes, reason: Reason, partition: int = 1, **changes: Any) -> None:
        """A letter of an event, or of a value that is none."""
        key, value = (b"p/j", each) if isinstance(each, bytes) else record_of(each)
        fields = {"topic": self._topic, "key": key, "value": value, "headers": OWN, **changes}
        await self._queue.send(
            [DeadLetter(partition=partition, offset=7, timestamp_ms=1, reason=reason, detail="d", **fields)]
        )


@pytest.fixture
def letters(producer: AIOKafkaProducer, settings: ConsumerSettings) -> Letters:
    return Letters(producer, settings)


async def sent_back(settings: ConsumerSettings, count: int) -> Sequence[Any]:
    """The first records of the topic of events, and no more than those."""
    return await read_all(settings.kafka_bootstrap_servers, settings.kafka_topic, count, 2)


async def test_what_is_an_event_now_goes_back_whole(
    letters: Letters, settings: ConsumerSettings, capsys: Capture
) -> None:
    """Key, value and its own headers are as they were, in the partition that it came from; the summary is by reason."""
    await letters.write(event(1), "refused", partition=1)
    await letters.write(JobDeletion("project", "gone"), "bad_key", partition=0)
    await letters.write(b"no event", "not_json")
    await letters.write(event(2), "not_json", partition=5)
    result = await run(settings, capsys, "replay-dead-letters", "--json")
    assert result.code == 1  # one of them stays
    assert result.document == {
        "found": 4,
        "valid_now": 3,
        "sent": 3,
        "by_reason": {
            "bad_key": {"found": 1, "valid_now": 1, "sent": 1},
            "not_json": {"found": 2, "valid_now": 1, "sent": 1},
            "refused": {"found": 1, "valid_now": 1, "sent": 1},
        },
    }
    records = await sent_back(settings, 3)
    assert {(record.partition, record.key, record.value) for record in records} == {
        (0, b"project/gone", None),
        (1, *record_of(event(1))),
        (1, *record_of(event(2))),
    }
    assert all(list(record.headers) == OWN for record in records)


async def test_dry_run_sends_nothing(letters: Letters, settings: ConsumerSettings, capsys: Capture) -> None:
    """It says what would be sent."""
    await letters.write(event(1), "refused")
    result = await run(settings, capsys, "replay-dead-letters", "--dry-run")
    assert result.code == 0
    assert result.out.splitlines() == [
        "reason                       found   valid now      sent",
        "refused                          1           1         0",
        "all                              1           1         0",
        "nothing was sent (--dry-run)",
    ]
    await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, [event(9)])
    [record] = await sent_back(settings, 1)
    assert record.value == record_of(event(9))[1]


async def test_letters_are_chosen_by_reason_and_time(
    letters: Letters, settings: ConsumerSettings, capsys: Capture
) -> None:
    """Several reasons may be given; a letter's time is when it was written, and --until is not in it."""
    await letters.write(event(1), "refused")
    await letters.write(event(2), "bad_key")
    await letters.write(event(3), "not_json")
    later_ms = time.time_ns() // 1_000_000 + 60_000

    async def found(*arguments: str) -> set[str]:
        result = await run(settings, capsys, "replay-dead-letters", "--dry-run", "--json", *arguments)
        return set(result.document["by_reason"])

    assert await found("--reason", "refused", "--reason", "bad_key") == {"refused", "bad_key"}
    assert await found("--since", str(later_ms)) == set()
    assert await found("--until", "2020-01-01") == set()
    assert await found("--since", "2020-01-01", "--until", str(later_ms)) == {"refused", "bad_key", "not_json"}


async def test_letters_of_other_topics_and_other_records_stay(
    letters: Letters, settings: ConsumerSettings, producer: AIOKafkaProducer, capsys: Capture
) -> None:
    """What another topic's consumers wrote, or something else, is none of ours."""
    await letters.write(event(1), "refused", topic="another topic")
    await producer.send_and_wait(
        settings.kafka_dead_letter_topic, b"something else", headers=[("dead-letter-reason", b"x")]
    )
    result = await run(settings, capsys, "replay-dead-letters", "--json")
    assert (result.code, result.document["found"]) == (0, 0)


async def test_no_letters_and_no_topic_of_letters(settings: ConsumerSettings, capsys: Capture) -> None:
    """Nothing is found where nothing was ever written."""
    for topic in (settings.kafka_dead_letter_topic, "never-made"):
        changed = settings.model_copy(update={"kafka_dead_letter_topic": topic})
        result = await run(changed, capsys, "replay-dead-letters", "--json")
        assert (result.code, result.document["found"]) == (0, 0)


async def test_many_letters(letters: Letters, settings: ConsumerSettings, capsys: Capture) -> None:
    """More than one poll brings, and more than one batch holds, all go back."""
    filler = [("filler", bytes(30_000))]
    for number in range(40):
        await letters.write(event(number), "refused", partition=number % 2, headers=filler)
    assert (await run(settings, capsys, "replay-dead-letters", "--json")).document["sent"] == 40
    assert {record.key for record in await sent_back(settings, 40)} == {record_of(event(n))[0] for n in range(40)}


async def test_replayed_twice_counts_once(letters: Letters, settings: ConsumerSettings, capsys: Capture) -> None:
    """A running consumer counts what comes back; to send it again changes nothing."""
    events = [event(number) for number in range(5)]
    for each in events:
        await letters.write(each, "refused", partition=0)
    async with running_consumer(settings) as running:
        for times in (1, 2):
            assert (await run(settings, capsys, "replay-dead-letters", "--json")).document["sent"] == 5
            marker = event(f"marker-{times}", start_time_ms=times)
            await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, [marker])
            events.append(marker)
            await running.wait_counted(events)


def test_records_that_are_no_letters() -> None:
    """A letter has all of our headers, in their order, at the end."""

    class Record:
        key, value, timestamp = b"k", b"v", 1
        headers: Sequence[Header] = ()

    ours = DeadLetter("t", 3, 7, 1, None, None, OWN, "refused", "d").all_headers()
    for headers in ([], ours[:-1], ours[::-1], [*ours, ("more", b"")]):
        record = Record()
        record.headers = headers
        assert parse_letter(record) is None
    record = Record()
    record.headers = ours
    letter = parse_letter(record)
    assert letter is not None
    assert (letter.topic, letter.partition, letter.reason, list(letter.headers)) == ("t", 3, "refused", OWN)
