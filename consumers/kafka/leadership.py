"""Which broker's word on the end of a partition can be taken. Pure, no I/O.

A new leader may not know for a moment how far its followers are: its high watermark is then short of what the former
leader has acknowledged, and a fetch shows nothing of that. The request for a partition's end does (KIP-207): it fails
until the leader knows. So a fetch proves something only if it was sent after its node had answered such a request.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import TopicPartition

_TRUSTED_SECONDS = 2.0  # without a response for so long there may have been another leader meanwhile


class Leadership:
    """The node that has told a partition's end, and when it last answered for it (seconds of any one clock)."""

    def __init__(self) -> None:
        self._told: dict[TopicPartition, tuple[int, float]] = {}

    def is_trusted(self, tp: TopicPartition, node: int, now: float) -> bool:
        """Whether a fetch that is sent to the node now proves something."""
        told_by, at = self._told.get(tp, (node, -_TRUSTED_SECONDS))
        return told_by == node and now - at < _TRUSTED_SECONDS

    def told(self, tp: TopicPartition, node: int, now: float) -> None:
        """Takes in that the node has told the partition's end, or goes on answering for it."""
        self._told[tp] = (node, now)

    def lost(self, tps: Iterable[TopicPartition]) -> None:
        """Takes in that these partitions may get, or have, another leader."""
        for tp in tps:
            self._told.pop(tp, None)


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """A fetch from `offset` on, sent at `asked_ms`, brought nothing, and by the same response nothing lay beyond.

    All records before the offset had been handed out when it was sent.
    """

    asked_ms: int
    offset: int
