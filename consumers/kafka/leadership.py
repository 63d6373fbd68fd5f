"""Decides which broker can be trusted to know the end of a partition. Pure, no I/O.

For a moment a new leader may not know how far its followers are. Its high watermark is then lower than what the former
leader has acknowledged, and a fetch response does not show that. The request for a partition's end does (KIP-207): it
fails until the leader knows. So a fetch proves something only if it was sent after its node had answered such a
request.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import TopicPartition

_TRUSTED_SECONDS = 2.0  # after so long without a response another broker may have been the leader in between


class Leadership:
    """Remembers which node has told each partition's end, and when the node last answered for it.

    Instants are seconds of any one clock.
    """

    def __init__(self) -> None:
        self._told: dict[TopicPartition, tuple[int, float]] = {}

    def is_trusted(self, tp: TopicPartition, node: int, now: float) -> bool:
        """Returns whether a fetch that is sent to the node now proves where the partition ends."""
        told_by, at = self._told.get(tp, (node, -_TRUSTED_SECONDS))
        return told_by == node and now - at < _TRUSTED_SECONDS

    def told(self, tp: TopicPartition, node: int, now: float) -> None:
        """Notes that the node has told the partition's end, or that the trusted node has answered for it once more."""
        self._told[tp] = (node, now)

    def lost(self, tps: Iterable[TopicPartition]) -> None:
        """Notes that these partitions may have, or may soon have, another leader."""
        for tp in tps:
            self._told.pop(tp, None)


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Proves that a partition was read to its end, at `offset`, when a fetch was sent at `asked_ms` (Unix ms).

    The fetch brought nothing, and by the same response no record lay beyond the offset. All records before the offset
    had been handed out when the fetch was sent.
    """

    asked_ms: int
    offset: int
