"""`replay-dead-letters`: what is an event by now goes back whole; what is none stays."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue, WrittenLetters
from consumers.dead_letters.replay import REPLAYED_HEADER, Source, parse_letter, parse_mark
from consumers.kafka.record_batches import Header
from deploy.local.waiting import eventually
from service.events.decoding import Reason
from service.events.event import JobDeletion
from service.runtime.settings import ConsumerSettings
from service.store.layout.keys import project_prefix
from service.store.layout.projects import user_key
from tests.commands.support import run
from tests.conftest import MakeTopic
from tests.consumers.support import Event, publish, record_of, running_consumer
from tests.consumers.test_dead_letters import read_all
from tests.store.support import event, stored_hash

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
        self._queue = DeadLetterQueue(producer, settings.kafka_dead_letter_topic, WrittenLetters())
        self._topic = settings.kafka_topic

        self._offset = 0

    async def write(self, each: Event | bytes, reason: Reason, partition: int = 1, **changes: Any) -> None:
        """A letter of an event, or of a value that is none, from an offset of its own."""
        key, value = (b"p/j", each) if isinstance(each, bytes) else record_of(each)
        self._offset += 1
        fields = {"topic": self._topic, "offset": self._offset, "key": key, "value": value, "headers": OWN, **changes}
        await self._queue.send([DeadLetter(partition=partition, timestamp_ms=1, reason=reason, detail="d", **fields)])


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
    nothing_new = {"sent_before": 0, "refused_again": 0}
    assert result.document == {
        **nothing_new,
        "found": 4,
        "valid_now": 3,
        "sent": 3,
        "by_reason": {
            "bad_key": {**nothing_new, "found": 1, "valid_now": 1, "sent": 1},
            "not_json": {**nothing_new, "found": 2, "valid_now": 1, "sent": 1},
            "refused": {**nothing_new, "found": 1, "valid_now": 1, "sent": 1},
        },
    }
    records = await sent_back(settings, 3)
    assert {(record.partition, record.key, record.value) for record in records} == {
        (0, b"project/gone", None),
        (1, *record_of(event(1))),
        (1, *record_of(event(2))),
    }
    assert all(list(record.headers)[:-1] == OWN for record in records)
    origins = sorted(record.headers[-1] for record in records)
    assert origins == [(REPLAYED_HEADER, f"{settings.kafka_topic}/{at}".encode()) for at in ("0/2", "1/1", "5/4")]


async def test_dry_run_sends_nothing(letters: Letters, settings: ConsumerSettings, capsys: Capture) -> None:
    """It says what would be sent."""
    await letters.write(event(1), "refused")
    result = await run(settings, capsys, "replay-dead-letters", "--dry-run")
    assert result.code == 0
    assert result.out.splitlines() == [
        "reason                       found   valid now   sent before      sent",
        "refused                          1           1             0         0",
        "all                              1           1             0         0",
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


async def replay(settings: ConsumerSettings, capsys: Capture, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and summary."""
    result = await run(settings, capsys, "replay-dead-letters", "--json", *arguments)
    return result.code, result.document


async def test_letter_goes_back_once_unless_asked(
    letters: Letters, settings: ConsumerSettings, capsys: Capture
) -> None:
    """Another run knows what was sent, whatever the filters of either; --again sends it, and still it counts once."""
    events = [event(number) for number in range(6)]
    for number, each in enumerate(events):
        await letters.write(each, "refused" if number % 2 else "bad_key", partition=number % 2)
    async with running_consumer(settings) as running:
        runs = [("--reason", "refused"), (), (), ("--again", "--reason", "bad_key")]
        results = [await replay(settings, capsys, *arguments) for arguments in runs]
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, [event("marker")])
        await running.wait_counted([*events, event("marker")])
    assert [code for code, _ in results] == [0, 0, 0, 0]
    summaries = [(summary["found"], summary["sent_before"], summary["sent"]) for _, summary in results]
    assert summaries == [(3, 0, 3), (6, 3, 3), (6, 6, 0), (3, 3, 3)]


async def test_letter_written_twice_goes_back_once(
    letters: Letters, settings: ConsumerSettings, capsys: Capture
) -> None:
    """A consumer that did not hear of an acknowledgement writes a letter again: it is the same letter."""
    for _ in range(2):
        await letters.write(event(1), "refused", offset=7)
    assert (await replay(settings, capsys))[1]["sent"] == 1
    assert (await replay(settings, capsys))[1]["sent"] == 0


async def test_letters_do_not_multiply_while_the_store_refuses(settings: ConsumerSettings, capsys: Capture) -> None:
    """Sent back and refused again they are the same letters; asked for, each event goes once, and counts once mended.

    Their headers do not grow either.
    """
    events = [event(number, user_id="ann", user_name="new", event_time_ms=9_000) for number in range(10)]
    names, ann = f"{project_prefix('project')}u", user_key("ann")
    async with running_consumer(settings) as running:
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, [event("first", user_id="ann")])
        await running.wait_counted([event("first", user_id="ann")])
        named = (await stored_hash(running.redis, names))[ann]
        await running.redis.hset(names, ann, b"\x03bobname")  # another user under the key
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, events)
        refused, results = 10, []
        for arguments in [(), (), (), ("--again",), ()]:
            await eventually(
                lambda: running.count("dead_letters", reason="refused") == refused,  # noqa: B023
                f"{refused} events refused",
            )
            code, summary = await replay(settings, capsys, *arguments)
            results.append((code, summary["found"], summary["refused_again"], summary["sent"]))
            refused += summary["sent"]
        assert results == [(0, 10, 0, 10), (1, 20, 10, 0), (1, 20, 10, 0), (0, 20, 0, 10), (1, 30, 10, 0)]
        await running.redis.hset(names, ann, named)
        assert (await replay(settings, capsys, "--again"))[1]["sent"] == 10
        await running.wait_counted([event("first", user_id="ann"), *events])
    assert (await replay(settings, capsys))[0] == 0
    for record in (await sent_back(settings, 41))[11:]:
        assert [name for name, _ in record.headers] == [REPLAYED_HEADER]


async def test_run_that_ended_before_it_noted_what_it_sent(
    letters: Letters, settings: ConsumerSettings, capsys: Capture
) -> None:
    """A letter that came of what was sent back says so as well."""
    await letters.write(event(1), "refused", partition=1, offset=7)
    origin = (REPLAYED_HEADER, f"{settings.kafka_topic}/1/7".encode())
    await letters.write(event(1), "refused", partition=1, offset=8, headers=[*OWN, origin])
    code, summary = await replay(settings, capsys)
    assert (code, summary["found"], summary["sent_before"], summary["refused_again"]) == (1, 2, 2, 1)
    code, summary = await replay(settings, capsys, "--again")
    assert (code, summary["sent"]) == (0, 1)
    [record] = await sent_back(settings, 1)
    assert list(record.headers) == [*OWN, origin]


def record_with(headers: Sequence[Header]) -> Any:
    """A record as the client gives it."""
    return SimpleNamespace(key=None, value=None, timestamp=1, headers=headers)


def test_records_that_are_no_letters() -> None:
    """A letter has all of our headers, in their order, at the end; a mark has its own and no others."""
    _, _, ours = DeadLetter("t", 3, 7, 1, None, None, OWN, "refused", "d").content()
    for headers in ([], ours[:-1], ours[::-1], [*ours, ("more", b"")]):
        assert parse_letter(0, record_with(headers)) is None
        assert parse_mark(record_with(headers)) is None
    letter = parse_letter(2, record_with(ours))
    assert letter is not None
    source = Source("t", 3, 7)
    assert (letter.source, letter.origin, letter.reason, list(letter.headers)) == (source, source, "refused", OWN)
    assert letter.record(2) == (1, (None, None, [*OWN, (REPLAYED_HEADER, b"t/3/7")]))
    partition, (key, value, headers) = letter.mark()
    assert (partition, key, value) == (2, None, None)
    assert parse_mark(record_with(headers)) == source
    assert parse_letter(2, record_with(headers)) is None


FOREIGN = [None, b"", b"\xff", b"t/1", b"t/1/2/3", b"t/-1/2", b"t/1/\xd9\xa1", b"t/1/" + b"9" * 30]


@pytest.mark.parametrize("text", FOREIGN)
def test_headers_of_others_with_the_name_of_ours(text: bytes | None) -> None:
    """A record's own last header may have the name, and mean something else."""
    _, _, headers = DeadLetter("t", 3, 7, 1, None, None, [(REPLAYED_HEADER, text)], "refused", "d").content()
    letter = parse_letter(0, record_with(headers))
    assert letter is not None
    assert (letter.origin, list(letter.headers)) == (letter.source, [(REPLAYED_HEADER, text)])
