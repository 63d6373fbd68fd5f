"""Keeps all records that were ever committed to the topic, also those that the topic no longer has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from service.store.layout.gaps import Gap
from tests.end_to_end.publisher import now_ms
from tests.end_to_end.traffic import Record
from tests.simulation.kafka.model import KafkaModel
from tests.simulation.kafka.records import Content

Ledger = Sequence[Gap]


class Place(NamedTuple):
    """Says where a record lies, or lay: `topic` is 0 for the first topic of the name, 1 for the next."""

    topic: int
    partition: int
    offset: int


def content_of(record: Record) -> Content:
    """Returns what is written of a record."""
    return record.key, record.value, tuple((name.encode(), value) for name, value in record.headers)


class Archive:
    """Takes records from the model of Kafka, before it loses them; `starts` says from where on it still has them."""

    def __init__(self, kafka: KafkaModel, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._anew_ms: list[int] = []  # when each topic but the first was made
        self.contents: dict[Place, Content] = {}
        self.starts: dict[tuple[int, int], int] = {}

    @property
    def partitions(self) -> range:
        """Returns the numbers of the partitions that there are now."""
        return range(len(self._kafka.controller.image.topics[self._topic].partitions))

    def take(self, partition: int) -> None:
        """Takes what a partition has. Raises LookupError while it has no leader, or is damaged."""
        topic = len(self._anew_ms)
        for record in self._kafka.records(self._topic, partition):
            place = Place(topic, partition, record.offset)
            if place not in self.contents:
                self.contents[place] = record.content()

    def is_whole(self) -> bool:
        """Takes what there is; returns whether that is all, so that nothing waits for a leader or a transaction."""
        try:
            for partition in self.partitions:
                self.take(partition)
            ends = [self._kafka.stable_end(self._topic, partition) for partition in self.partitions]
            return ends == [self._kafka.end(self._topic, partition) for partition in self.partitions]
        except LookupError:
            return False

    def drop(self, partition: int, before: int) -> None:
        """Takes what a partition has, and drops what is before an offset. Raises LookupError."""
        self.take(partition)
        begins = self._kafka.drop_oldest(self._topic, partition, before)
        self.starts[len(self._anew_ms), partition] = begins

    def made_anew(self) -> None:
        """Notes that the next topic of the name is there; all of the last one has been taken."""
        self._anew_ms.append(now_ms())

    def topic_at(self, at_ms: int) -> int:
        """Returns the number of the topic that was there at an instant."""
        return sum(anew_ms <= at_ms for anew_ms in self._anew_ms)

    def named(self, ledger: Ledger) -> Iterator[Place]:
        """Yields the places that a ledger says were never read. Fails if the topic still has some of them."""
        for gap in ledger:
            topic = self.topic_at(gap.time_ms)
            assert gap.to_offset <= self.starts.get((topic, gap.partition), 0), gap
            yield from (Place(topic, gap.partition, offset) for offset in range(gap.from_offset, gap.to_offset))

    def read_by(self, ledgers: Mapping[int, Ledger], stripe: int) -> Iterator[Content]:
        """Yields all records that a stripe must have been told of."""
        named = set(self.named(ledgers.get(stripe, ())))
        yield from (content for place, content in self.contents.items() if place not in named)
