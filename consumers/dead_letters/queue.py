"""The dead-letter topic: where records go that are no events, whole, with the reason and where they came from."""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import LeaderNotAvailableError, MessageSizeTooLargeError
from prometheus_client import Counter

from consumers.dead_letters.letter import DeadLetter
from consumers.kafka.metadata import describe_topic
from consumers.kafka.record_batches import BatchTooLargeError, write_records


def create_producer(bootstrap_servers: str, **connection: Any) -> AIOKafkaProducer:
    """Returns a producer for dead letters, not started; `connection` holds aiokafka's security arguments.

    Letters are compressed with zstd, the strongest codec: a record that came in just below the broker's size
    limit thanks to compression must fit again with our headers on top. Idempotence would gain nothing, since a letter
    may be sent twice anyway (see DeadLetterQueue.send), and not every broker offers it.
    """
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        acks="all",
        enable_idempotence=False,
        compression_type="zstd",
        **connection,
    )


class LetterTooLargeError(MessageSizeTooLargeError):  # type: ignore[misc]  # aiokafka has no types
    """The dead-letter topic takes no record as large as this letter; the text names the letter and the limit."""


class WrittenLetters:
    """Remembers and counts the letters that this process has written, the last `most` of them.

    While the store takes no writes a batch is read again every few seconds: its letters are not to pile up.
    """

    def __init__(self, counter: Counter | None = None, most: int = 50_000) -> None:
        self._counter = counter
        self._most = most
        self._topic_id: str | None = None
        self._letters: dict[tuple[str, int, int, int, str, int], None] = {}

    def missing(self, letters: Sequence[DeadLetter], topic_id: str) -> list[DeadLetter]:
        """Returns which of these letters the dead-letter topic with that id has not got from this process."""
        if topic_id != self._topic_id:  # it was deleted and made anew
            self._letters.clear()
            self._topic_id = topic_id
        return [letter for letter in letters if _identity(letter) not in self._letters]

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Takes in that the broker has acknowledged these letters."""
        for letter in letters:
            self._letters[_identity(letter)] = None
            if self._counter is not None:
                self._counter.labels(letter.reason).inc()
        while len(self._letters) > self._most:
            del self._letters[next(iter(self._letters))]


def _identity(letter: DeadLetter) -> tuple[str, int, int, int, str, int]:
    """Tells letters apart: in a topic that was made anew another record may lie at the same offset."""
    content = hash((letter.key, letter.value))
    return letter.topic, letter.partition, letter.offset, letter.timestamp_ms, letter.reason, content


class DeadLetterQueue:
    """Writes dead letters with a started producer, which belongs to the caller; those written before are left out."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, written: WrittenLetters) -> None:
        self._producer = producer
        self._topic = topic
        self._written = written

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Returns once the broker has acknowledged every letter; raises its KafkaError if it refused one.

        For a letter that is too large that is LetterTooLargeError: it is never cut, nor left out.

        After an error some letters may have been written. The caller sends all of them again until it succeeds, so a
        letter of which the acknowledgement was lost is there twice (its topic, partition and offset tell), but none is
        missing. Letters of one source partition stay in order while no partition of the dead-letter topic loses its
        leader: others take its place.
        """
        if not letters:
            return
        # asked each time: for a topic that was deleted meanwhile the producer would look without any pause
        topic = await describe_topic(self._producer.client, self._topic)
        if not topic.with_leader:
            raise LeaderNotAvailableError(f"no partition of {self._topic} has a leader")
        by_partition: dict[int, list[DeadLetter]] = {}
        for letter in self._written.missing(letters, topic.topic_id):
            to = topic.with_leader[letter.partition % len(topic.with_leader)]
            by_partition.setdefault(to, []).append(letter)
        contents = {to: [letter.content() for letter in group] for to, group in by_partition.items()}
        errors = await write_records(self._producer, self._topic, contents)
        for to, group in by_partition.items():
            if to not in errors:
                self._written.add(group)
        for to, error in errors.items():
            raise self._too_large(error, by_partition[to]) if isinstance(error, BatchTooLargeError) else error

    def _too_large(self, error: BatchTooLargeError, letters: Sequence[DeadLetter]) -> LetterTooLargeError:
        first = letters[error.first]
        return LetterTooLargeError(
            f"{error.size_bytes} bytes, {error.records} letters from offset {first.offset} of partition"
            f" {first.partition} on, are more than max.message.bytes of {self._topic} allows: raise it there"
        )
