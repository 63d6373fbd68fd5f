"""The offsets of one assignment: those that each stripe is expected to have, and how far the batches reach. Pure."""

from collections.abc import Mapping, Sequence

from service.store.layout.heads import Head
from service.store.write.writer import Step, StripeBatch


class StripeOffsets:
    """Offsets of the partitions of one assignment, from the heads of all stripes; lives until the next resync.

    An offset is the next one to be read. A stripe's stored offset is what its head has, and what the next write to the
    stripe expects there. A position is how far the batches reach: everything before it is applied to all stripes that
    it concerns.
    """

    def __init__(self, heads: Sequence[Head], partitions: Sequence[int]) -> None:
        self.partitions = tuple(sorted(partitions))
        self._stored = [{p: next_offset(head, p) for p in self.partitions} for head in heads]
        self._live = [head.live for head in heads]
        self._moved_ids = [head.moved_id for head in heads]
        self.positions = {p: min(stored[p] for stored in self._stored) for p in self.partitions}
        # Records that are no events are dead letters before any stripe moves on: below the furthest stripe all are.
        self.settled = {p: max(stored[p] for stored in self._stored) for p in self.partitions}

    def steps(self, stripe: int, positions: Mapping[int, int], watermarks_ms: Mapping[int, int]) -> list[Step]:
        """Returns what moves a stripe to the given positions; a stripe that is further already stays there."""
        stored = self._stored[stripe]
        return [
            Step(p, stored[p], max(stored[p], positions.get(p, 0)), watermarks_ms.get(p, 0)) for p in self.partitions
        ]

    def generation(self, stripe: int) -> int:
        """Returns the generation that a stripe is expected to have."""
        return self._live[stripe].generation

    def stored(self, stripe: int, partition: int) -> int:
        """Returns a stripe's stored offset of a partition."""
        return self._stored[stripe][partition]

    @property
    def moved_ids(self) -> dict[int, bytes]:
        """By stripe the id of the write that last moved its head, as far as is known."""
        return dict(enumerate(self._moved_ids))

    def behind(self, horizon_ms: int) -> list[int]:
        """Returns the stripes that do not know yet how far the batches reach, or how far back jobs count."""
        return [
            stripe
            for stripe, stored in enumerate(self._stored)
            if self._live[stripe].horizon_ms < horizon_ms or any(stored[p] < at for p, at in self.positions.items())
        ]

    def written(self, batch: StripeBatch, moved_id: bytes) -> None:
        """Takes in that a stripe has taken the steps of a batch, and which write last moved its head."""
        for step in batch.steps:
            self._stored[batch.stripe][step.partition] = step.next_offset
        live = self._live[batch.stripe]
        self._live[batch.stripe] = live._replace(horizon_ms=max(live.horizon_ms, batch.horizon_ms))
        self._moved_ids[batch.stripe] = moved_id

    @property
    def stripes(self) -> range:
        """All stripes."""
        return range(len(self._stored))


def next_offset(head: Head, partition: int) -> int:
    """Returns a head's offset of a partition: 0 if the head does not have that partition yet."""
    return head.progress[partition].next_offset if partition < len(head.progress) else 0
