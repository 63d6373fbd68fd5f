"""`replay-dead-letters`: sends back what is an event by now."""

import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import get_args

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError

from consumers.commands.arguments import instant_ms
from consumers.commands.terminal import Terminal
from consumers.dead_letters import create_producer
from consumers.decoding import InvalidRecordError, Reason, decode
from consumers.kafka import connection_options, create_reader
from consumers.letters import Letter, LetterSender, parse_letter, read_to_end
from service.settings import ConsumerSettings

SUMMARY = "send dead letters back that are events by now"
DESCRIPTION = """\
Reads the dead-letter topic from its beginning to its end and decodes each letter again. What is an event now - as this
version takes more than the one that refused it did, or as the store has been mended - goes back to the topic of events
with its key, value and headers as they were, and running consumers count it. The dead-letter topic stays as it is. To
send a letter back twice does no harm: a job counts once, under its latest event.

example:
  python -m consumers replay-dead-letters --reason refused --since 2026-01-31T12:00:00Z --dry-run
"""
FOUND = "some of the letters are no events, and stay"


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which letters are looked at: by reason (none: any), and by when they were written, `[since_ms, until_ms)`."""

    topic: str
    reasons: frozenset[str]
    since_ms: int
    until_ms: int

    def takes(self, letter: Letter) -> bool:
        is_meant = letter.topic == self.topic and (not self.reasons or letter.reason in self.reasons)
        return is_meant and self.since_ms <= letter.written_ms < self.until_ms


@dataclass(slots=True)
class _Tally:
    """Letters by reason."""

    found: Counter[str] = field(default_factory=Counter)
    valid: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the command's own arguments."""
    reasons = get_args(Reason)
    parser.add_argument(
        "--reason", action="append", default=[], choices=reasons, metavar="R", help=f"any of {', '.join(reasons)}"
    )
    when = "Unix ms, or ISO 8601 (UTC unless it says otherwise)"
    parser.add_argument(
        "--since", type=instant_ms, default=0, metavar="T", help=f"letters written then or later; {when}"
    )
    parser.add_argument("--until", type=instant_ms, metavar="T", help="letters written before then; default: now")
    parser.add_argument("--dry-run", action="store_true", help="send nothing")


async def run(settings: ConsumerSettings, arguments: Namespace, terminal: Terminal) -> int:
    """Reads, decodes and sends. Raises KafkaError."""
    until_ms = time.time_ns() // 1_000_000 if arguments.until is None else arguments.until
    wanted = _Filter(settings.kafka_topic, frozenset(arguments.reason), arguments.since, until_ms)
    partitions = await _count_partitions(settings)
    if settings.kafka_topic not in partitions:
        raise UnknownTopicOrPartitionError(f"there is no topic {settings.kafka_topic}")
    letters = settings.kafka_dead_letter_topic
    tps = [TopicPartition(letters, partition) for partition in range(partitions.get(letters, 0))]
    async with AsyncExitStack() as stack:
        consumer, producer = create_reader(settings), create_producer(**connection_options(settings))
        for client in (consumer, producer):
            stack.push_async_callback(client.stop)
            await client.start()
        sender = (
            None
            if arguments.dry_run
            else LetterSender(producer, settings.kafka_topic, partitions[settings.kafka_topic])
        )
        total = sum((await consumer.end_offsets(tps)).values()) - sum((await consumer.beginning_offsets(tps)).values())
        with terminal.progress("dead letters", total) as advance:
            tally = await _replay(consumer, tps, wanted, sender, advance)
    terminal.result(_document(tally), _lines(tally, arguments.dry_run))
    return 0 if tally.valid == tally.found else 1


async def _count_partitions(settings: ConsumerSettings) -> dict[str, int]:
    admin = AIOKafkaAdminClient(**connection_options(settings))
    try:
        await admin.start()
        topics = {settings.kafka_topic, settings.kafka_dead_letter_topic} & set(await admin.list_topics())
        described = await admin.describe_topics(sorted(topics)) if topics else []
        return {topic["topic"]: len(topic["partitions"]) for topic in described}
    finally:
        await admin.close()


async def _replay(
    consumer: AIOKafkaConsumer,
    tps: Sequence[TopicPartition],
    wanted: _Filter,
    sender: LetterSender | None,
    advance: Callable[[int], None],
) -> _Tally:
    tally = _Tally()
    async for records in read_to_end(consumer, tps, wanted.until_ms):
        parsed = [letter for letter in map(parse_letter, records) if letter and wanted.takes(letter)]
        valid = [letter for letter in parsed if _is_event(letter)]
        if sender is not None:
            await sender.send(valid)
            tally.sent.update(letter.reason for letter in valid)
        tally.found.update(letter.reason for letter in parsed)
        tally.valid.update(letter.reason for letter in valid)
        advance(len(records))
    return tally


def _is_event(letter: Letter) -> bool:
    try:
        decode(letter.key, letter.value)
    except InvalidRecordError:
        return False
    return True


def _document(tally: _Tally) -> dict[str, object]:
    by_reason = {
        reason: {"found": found, "valid_now": tally.valid[reason], "sent": tally.sent[reason]}
        for reason, found in sorted(tally.found.items())
    }
    return {
        "found": tally.found.total(),
        "valid_now": tally.valid.total(),
        "sent": tally.sent.total(),
        "by_reason": by_reason,
    }


def _lines(tally: _Tally, is_dry_run: bool) -> Iterator[str]:
    yield f"{'reason':24}{'found':>10}{'valid now':>12}{'sent':>10}"
    for reason, found in sorted(tally.found.items()):
        yield f"{reason:24}{found:>10}{tally.valid[reason]:>12}{tally.sent[reason]:>10}"
    yield f"{'all':24}{tally.found.total():>10}{tally.valid.total():>12}{tally.sent.total():>10}"
    if is_dry_run:
        yield "nothing was sent (--dry-run)"
