"""Notices that a consumer hands out no records although its partitions have some. Pure, no I/O."""

from collections.abc import Container, Iterable

from aiokafka.errors import KafkaError


class StalledError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """Says that the Kafka clients no longer do their work, and must be replaced."""


class StallWatch:
    """Knows how long each partition has been quiet, that is, has brought no records.

    Instants are seconds of any one clock. The caller asks where a partition ends once it has been quiet for
    `quiet_seconds`. The partition has stalled in two cases, both after `quiet_seconds` once more:
    - it had records at the first answer, and it is still quiet and behind at the second;
    - it gave no answer both times, although another client says that it has a leader. A partition without a leader has
      not stalled.
    """

    def __init__(self, partitions: Iterable[int], quiet_seconds: float, now: float) -> None:
        self._quiet_seconds = quiet_seconds
        self._since = dict.fromkeys(partitions, now)
        self._behind: set[int] = set()
        self._mute: set[int] = set()

    def since(self, partition: int) -> float:
        """Returns since when a partition has been quiet, or when it was last asked about if that was later."""
        return self._since[partition]

    def polled(self, with_records: Container[int], now: float) -> list[int]:
        """Notes which partitions a poll brought records of; returns the partitions whose end should be asked for."""
        for partition in self._since:
            if partition in with_records:
                self._since[partition] = now
                self._behind.discard(partition)
                self._mute.discard(partition)
        return [partition for partition, since in self._since.items() if now - since >= self._quiet_seconds]

    def asked(self, partition: int, position: int, end: int, now: float) -> None:
        """Notes the position in a quiet partition, and where the partition ends. Raises StalledError."""
        self._since[partition] = now
        self._mute.discard(partition)
        if end <= position:
            self._behind.discard(partition)
        elif partition in self._behind:
            raise StalledError(f"partition {partition} has records up to {end}, none came after {position}")
        else:
            self._behind.add(partition)

    def unanswered(self, partition: int, has_leader: bool, now: float) -> None:
        """Notes that no broker says where a quiet partition ends. Raises StalledError."""
        self._since[partition] = now
        if not has_leader:
            self._mute.discard(partition)
        elif partition in self._mute:
            raise StalledError(f"partition {partition} has a leader, and cannot be asked for its end")
        else:
            self._mute.add(partition)
