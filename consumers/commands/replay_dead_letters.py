"""Implements `replay-dead-letters`: sends back the dead letters that are events by now."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, fields
from typing import Any, get_args

from aiokafka import AIOKafkaProducer, TopicPartition

from consumers.commands.arguments import instant_ms
from consumers.commands.terminal import Terminal
from consumers.dead_letters.queue import create_producer
from consumers.dead_letters.replay import Source, StoredLetter, parse_letter, parse_mark, read_to_end
from consumers.ingest.records import decode_record
from consumers.kafka.clients import connection_options, create_reader
from consumers.kafka.metadata import describe_topic, find_topic
from consumers.kafka.record_batches import Content, write_records
from consumers.kafka.stopping import stop_client
from service.events.decoding import InvalidRecordError, Reason
from service.runtime.settings import ConsumerSettings
from service.store.redis.clock import system_now_ms

SUMMARY = "send dead letters back that are events by now"
DESCRIPTION = """\
Reads the dead-letter topic from its beginning to its end and decodes each letter again. What is an event now - as this
version takes more than the one that refused it did, or as the store has been mended - goes back to the topic of events
with its key, value and headers as they were, and one more header that names where it came from; running consumers count
it. The letter is then marked in the dead-letter topic, and is not sent back again, nor is the same event if it is
refused once more: with --again it is. To send a letter back twice does no harm: a job counts once, under its latest
event.

example:
  python -m consumers replay-dead-letters --reason refused --since 2026-01-31T12:00:00Z --dry-run
"""
FOUND = "some of the letters are no events, or were refused again, and stay"

Records = Sequence[tuple[int, Any]]
"""Records of the dead-letter topic, each with its partition."""


@dataclass(frozen=True, slots=True)
class _Filter:
    """Selects letters by topic, by reason (none: any), and by when they were written, `[since_ms, until_ms)`."""

    topic: str
    reasons: frozenset[str]
    since_ms: int
    until_ms: int

    def takes(self, letter: StoredLetter) -> bool:
        is_meant = letter.source.topic == self.topic and (not self.reasons or letter.reason in self.reasons)
        return is_meant and self.since_ms <= letter.written_ms < self.until_ms


@dataclass(slots=True)
class _Tally:
    """Counts letters by reason, in one counter for each column of the output."""

    found: Counter[str] = field(default_factory=Counter)
    valid_now: Counter[str] = field(default_factory=Counter)
    sent_before: Counter[str] = field(default_factory=Counter)
    refused_again: Counter[str] = field(default_factory=Counter)  # sent back before, refused once more, and left
    sent: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Sends letters back to a topic of events with so many partitions, and their marks to the dead-letter topic."""

    producer: AIOKafkaProducer
    events: str
    partitions: int
    letters: str

    async def send(self, going: Iterable[StoredLetter], unmarked: Iterable[StoredLetter]) -> None:
        """Sends the letters `going` back, then marks those in `unmarked` as sent back. Raises KafkaError.

        A run that is interrupted in between loses nothing: the next run sends the same letters once more.
        """
        await self._write(self.events, (each.record(self.partitions) for each in going))
        await self._write(self.letters, (each.mark() for each in unmarked))

    async def _write(self, topic: str, records: Iterable[tuple[int, Content]]) -> None:
        by_partition: dict[int, list[Content]] = {}
        for partition, content in records:
            by_partition.setdefault(partition, []).append(content)
        for error in (await write_records(self.producer, topic, by_partition)).values():
            raise error


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
    parser.add_argument("--again", action="store_true", help="also what was sent back before")
    parser.add_argument("--dry-run", action="store_true", help="send nothing")


async def run(settings: ConsumerSettings, arguments: Namespace, terminal: Terminal) -> int:
    """Reads the dead letters, decodes each, and sends back those that are events. Raises KafkaError."""
    now_ms = system_now_ms()
    until_ms = now_ms if arguments.until is None else arguments.until
    wanted = _Filter(settings.kafka_topic, frozenset(arguments.reason), arguments.since, until_ms)
    letters = settings.kafka_dead_letter_topic
    async with AsyncExitStack() as stack:
        consumer, producer = create_reader(settings), create_producer(**connection_options(settings))
        for client in (consumer, producer):
            stack.push_async_callback(stop_client, client)
            await client.start()
        events = await describe_topic(producer.client, settings.kafka_topic)
        found = await find_topic(producer.client, letters)
        tps = [TopicPartition(letters, partition) for partition in range(found.partitions if found else 0)]
        total = sum((await consumer.end_offsets(tps)).values()) - sum((await consumer.beginning_offsets(tps)).values())
        with terminal.progress("dead letters, read twice", 2 * total) as advance:
            sent = await _read_sent(read_to_end(consumer, tps, now_ms), settings.kafka_topic, advance)
            sender = None if arguments.dry_run else _Sender(producer, settings.kafka_topic, events.partitions, letters)
            replay = _Replay(wanted, sent, arguments.again, sender)
            async for records in read_to_end(consumer, tps, until_ms):
                await replay.take(records)
                advance(len(records))
    tally = replay.tally
    terminal.result(_document(tally), _lines(tally, arguments.dry_run))
    return 0 if tally.valid_now == tally.found and not tally.refused_again.total() else 1


async def _read_sent(polls: AsyncIterator[Records], topic: str, advance: Callable[[int], None]) -> set[Source]:
    """Returns the sources of the letters of the topic that were sent back.

    A mark names one, and so does a letter whose record was sent back before.
    """
    sent: set[Source] = set()
    async for records in polls:
        for partition, record in records:
            letter, marked = parse_letter(partition, record), parse_mark(record)
            source = letter.origin if letter and letter.was_sent_before else marked
            if source is not None and source.topic == topic:
                sent.add(source)
        advance(len(records))
    return sent


@dataclass(slots=True)
class _Replay:
    """Sends letters back as they are read, and each event only once."""

    wanted: _Filter
    sent: set[Source]
    is_again: bool
    sender: _Sender | None  # None with --dry-run: nothing is sent
    tally: _Tally = field(default_factory=_Tally)
    _gone: set[Source] = field(default_factory=set)  # the origins of the letters that this run has sent

    async def take(self, records: Records) -> None:
        """Sends back those of these records that should be, and then marks their letters. Raises KafkaError."""
        parsed = [parse_letter(partition, record) for partition, record in records]
        letters = [letter for letter in parsed if letter and self.wanted.takes(letter)]
        valid = [letter for letter in letters if _is_event(letter)]
        going, unmarked = [], []
        for letter in valid:
            is_sent = letter.source in self.sent
            is_known = is_sent or letter.was_sent_before
            self.tally.sent_before[letter.reason] += is_known
            if is_known and not self.is_again:
                self.tally.refused_again[letter.reason] += not is_sent
                continue
            if letter.origin not in self._gone:
                self._gone.add(letter.origin)
                going.append(letter)
            if not is_sent:
                unmarked.append(letter)
        if self.sender is not None:
            await self.sender.send(going, unmarked)
            self.tally.sent.update(letter.reason for letter in going)
        self.tally.found.update(letter.reason for letter in letters)
        self.tally.valid_now.update(letter.reason for letter in valid)


def _is_event(letter: StoredLetter) -> bool:
    try:
        decode_record(letter)
    except InvalidRecordError:
        return False
    return True


def _document(tally: _Tally) -> dict[str, object]:
    columns: dict[str, Counter[str]] = {each.name: getattr(tally, each.name) for each in fields(tally)}
    by_reason = {reason: {name: counts[reason] for name, counts in columns.items()} for reason in sorted(tally.found)}
    return {**{name: counts.total() for name, counts in columns.items()}, "by_reason": by_reason}


def _lines(tally: _Tally, is_dry_run: bool) -> Iterator[str]:
    yield f"{'reason':24}{'found':>10}{'valid now':>12}{'sent before':>14}{'sent':>10}"
    columns = (tally.found, tally.valid_now, tally.sent_before, tally.sent)
    for name, *numbers in [
        *([reason, *(counts[reason] for counts in columns)] for reason in sorted(tally.found)),
        ["all", *(counts.total() for counts in columns)],
    ]:
        found, valid, before, sent = numbers
        yield f"{name:24}{found:>10}{valid:>12}{before:>14}{sent:>10}"
    if tally.refused_again.total():
        yield f"{tally.refused_again.total()} were sent back before and refused again; --again sends them once more"
    if is_dry_run:
        yield "nothing was sent (--dry-run)"
