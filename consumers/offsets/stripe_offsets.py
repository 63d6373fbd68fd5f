"""Keeps the offsets of one assignment: those that each stripe's head should have, and the positions. Pure, no I/O."""

from collections.abc import Mapping, Sequence

from service.store.layout.heads import Head
from service.store.write.writer import Step, StripeBatch


class StripeOffsets:
    """Keeps the offsets of the partitions of one assignment, as read from the heads of all stripes.

    It lives until the next resync. An offset is the next one to be read. A stripe's stored offset is the one that its
    head has, and that the next write to the stripe expects there. A position is how far the batches reach: everything
    before it is applied to all stripes that it concerns.
    """

    def __init__(self, heads: Sequence[Head], partitions: Sequence[int]) -> None:
        self.partitions = tuple(sorted(partitions))
        self._stored = [{p: next_offset(head, p) for p in self.partitions} for head in heads]
        self._live = [head.live for head in heads]
        self._moved_ids = [head.moved_id for head in heads]
        self.positions = {p: min(stored[p] for stored in self._stored) for p in self.partitions}
        # A record that is no event becomes a dead letter before any stripe moves past it. So all such records before
        # the offset of the furthest stripe are dead letters already.
        self.settled = {p: max(stored[p] for stored in self._stored) for p in self.partitions}

    def steps(self, stripe: int, positions: Mapping[int, int], watermarks_ms: Mapping[int, int]) -> list[Step]:
        """Returns the steps that move a stripe to the given positions; a stripe that is further already stays there."""
        stored = self._stored[stripe]
        return [
            Step(p, stored[p], max(stored[p], positions.get(p, 0)), watermarks_ms.get(p, 0)) for p in self.partitions
        ]

    def generation(self, stripe: int) -> int:
        """Returns the generation that a stripe's head should have."""
        return self._live[stripe].generation

    def stored(self, stripe: int, partition: int) -> int:
        """Returns a stripe's stored offset of a partition."""
        return self._stored[stripe][partition]

    @property
    def moved_ids(self) -> dict[int, bytes]:
        """Returns by stripe the id of the write that last moved its head, as far as is known."""
        return dict(enumerate(self._moved_ids))

    def behind(self, horizon_ms: int) -> list[int]:
        """Returns the stripes whose head is behind the positions, or behind the horizon."""
        return [
            stripe
            for stripe, stored in enumerate(self._stored)
            if self._live[stripe].horizon_ms < horizon_ms or any(stored[p] < at for p, at in self.positions.items())
        ]

    def written(self, batch: StripeBatch, moved_id: bytes) -> None:
        """Notes that a stripe has taken the steps of a batch, and which write last moved its head."""
        for step in batch.steps:
            self._stored[batch.stripe][step.partition] = step.next_offset
        live = self._live[batch.stripe]
        self._live[batch.stripe] = live._replace(horizon_ms=max(live.horizon_ms, batch.horizon_ms))
        self._moved_ids[batch.stripe] = moved_id

    @property
    def stripes(self) -> range:
        """Returns the numbers of all stripes."""
        return range(len(self._stored))


def next_offset(head: Head, partition: int) -> int:
    """Returns a head's offset of a partition, or 0 if the head does not have that partition yet."""
    return head.progress[partition].next_offset if partition < len(head.progress) else 0
