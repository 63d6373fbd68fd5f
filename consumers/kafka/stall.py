"""Notices a consumer that hands out no records although its partitions have some. Pure, no I/O."""

from collections.abc import Container, Iterable

from aiokafka.errors import KafkaError


class StalledError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """The Kafka clients no longer do their work; new ones will."""


class StallWatch:
    """How long each partition has been quiet; instants are seconds of any one clock.

    A partition is asked about when it has been quiet for the time given, and has stalled if it had records then, and
    is as quiet and as far behind after the same time once more. So it has if it has a leader, by what another client
    knows, and gave no answer both times; without a leader it is nobody's fault here.
    """

    def __init__(self, partitions: Iterable[int], quiet_seconds: float, now: float) -> None:
        self._quiet_seconds = quiet_seconds
        self._since = dict.fromkeys(partitions, now)
        self._behind: set[int] = set()
        self._mute: set[int] = set()

    def since(self, partition: int) -> float:
        """Since when a partition has been quiet, or when it was asked about."""
        return self._since[partition]

    def polled(self, with_records: Container[int], now: float) -> list[int]:
        """Takes in a poll; returns the partitions to be asked about."""
        for partition in self._since:
            if partition in with_records:
                self._since[partition] = now
                self._behind.discard(partition)
                self._mute.discard(partition)
        return [partition for partition, since in self._since.items() if now - since >= self._quiet_seconds]

    def asked(self, partition: int, position: int, end: int, now: float) -> None:
        """Takes in where a quiet partition is read, and where it ends; raises StalledError."""
        self._since[partition] = now
        self._mute.discard(partition)
        if end <= position:
            self._behind.discard(partition)
        elif partition in self._behind:
            raise StalledError(f"partition {partition} has records up to {end}, none came after {position}")
        else:
            self._behind.add(partition)

    def unanswered(self, partition: int, has_leader: bool, now: float) -> None:
        """Takes in that nobody says where a quiet partition ends; raises StalledError."""
        self._since[partition] = now
        if not has_leader:
            self._mute.discard(partition)
        elif partition in self._mute:
            raise StalledError(f"partition {partition} has a leader, and cannot be asked for its end")
        else:
            self._mute.add(partition)
