"""Writes dead letters to the dead-letter topic.

The Applier sends letters here before the store moves past their records.
"""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import LeaderNotAvailableError, MessageSizeTooLargeError
from prometheus_client import Counter

from consumers.dead_letters.letter import DeadLetter
from consumers.kafka.metadata import describe_topic
from consumers.kafka.record_batches import BatchTooLargeError, write_records


def create_producer(bootstrap_servers: str, **connection: Any) -> AIOKafkaProducer:
    """Returns a producer for dead letters that is not started; `connection` holds aiokafka's security arguments.

    It compresses letters with zstd, the strongest codec: a record that fitted the broker's size limit only thanks to
    compression must fit again with the letter's headers. The producer is not idempotent: a letter may be sent twice
    anyway (see DeadLetterQueue.send), and not every broker has idempotent producers.
    """
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        acks="all",
        enable_idempotence=False,
        compression_type="zstd",
        **connection,
    )


class LetterTooLargeError(MessageSizeTooLargeError):  # type: ignore[misc]  # aiokafka has no types
    """Says that a letter is too large for the dead-letter topic; the text names the letter and the limit."""

    def __init__(self, text: str, partition: int, offset: int) -> None:
        super().__init__(text)
        self.partition = partition
        self.offset = offset


class WrittenLetters:
    """Remembers and counts the letters that this process has written, the last `most` of them.

    While the store takes no writes, a batch is read again every few seconds, and its letters must not pile up.
    """

    def __init__(self, counter: Counter | None = None, most: int = 50_000) -> None:
        self._counter = counter
        self._most = most
        self._topic_id: str | None = None
        self._letters: dict[tuple[str, int, int, int, str, int], None] = {}

    def missing(self, letters: Sequence[DeadLetter], topic_id: str) -> list[DeadLetter]:
        """Returns those of the letters that this process has not written to the dead-letter topic with this id."""
        if not topic_id or topic_id != self._topic_id:  # it was deleted and made anew, or nobody can tell
            self._letters.clear()
            self._topic_id = topic_id
        return [letter for letter in letters if _identity(letter) not in self._letters]

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Notes and counts letters that the broker has acknowledged."""
        for letter in letters:
            self._letters[_identity(letter)] = None
            if self._counter is not None:
                self._counter.labels(letter.reason).inc()
        while len(self._letters) > self._most:
            del self._letters[next(iter(self._letters))]


def _identity(letter: DeadLetter) -> tuple[str, int, int, int, str, int]:
    """Returns what tells letters apart: in a topic that was made anew another record may lie at the same offset."""
    content = hash((letter.key, letter.value))
    return letter.topic, letter.partition, letter.offset, letter.timestamp_ms, letter.reason, content


class DeadLetterQueue:
    """Writes dead letters with the caller's started producer; leaves out letters that this process has written."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, written: WrittenLetters) -> None:
        self._producer = producer
        self._topic = topic
        self._written = written

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Writes letters, and returns once the broker has acknowledged every one of them.

        Raises the broker's KafkaError if it refused a letter. For a letter that is too large that is
        LetterTooLargeError: a letter is never cut, nor left out.

        After an error some letters may have been written. The caller sends all of them again until that succeeds. So a
        letter whose acknowledgement was lost may be there twice (its topic, partition and offset tell), but none is
        missing. Letters of one source partition stay in order while no partition of the dead-letter topic loses its
        leader: other partitions take its place.
        """
        if not letters:
            return
        # the broker is asked each time: the producer would look for a deleted topic without any pause
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
            f" {first.partition} on, are more than max.message.bytes of {self._topic} allows: raise it there",
            first.partition,
            first.offset,
        )
