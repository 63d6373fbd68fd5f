"""Where one assignment stands: what each stripe is believed to have stored, and how far the batches reach. Pure."""

from collections.abc import Mapping, Sequence

from service.store.layout.heads import Head
from service.store.write.writer import Step, StripeBatch


class Progress:
    """Offsets of the partitions of one assignment; lives until the next assignment or the next doubt."""

    def __init__(self, heads: Sequence[Head], partitions: Sequence[int]) -> None:
        self.partitions = tuple(sorted(partitions))
        # believed to be stored: the fence that the next write expects, per stripe and partition
        self._stored = [{p: _next_offset(head, p) for p in self.partitions} for head in heads]
        self._live = [head.live for head in heads]
        self._moved_ids = [head.moved_id for head in heads]
        self.positions = {p: min(stored[p] for stored in self._stored) for p in self.partitions}
        # A batch's dead letters are written before any stripe moves on: below the furthest stripe all are.
        self.settled = {p: max(stored[p] for stored in self._stored) for p in self.partitions}

    def steps(self, stripe: int, positions: Mapping[int, int], watermarks_ms: Mapping[int, int]) -> list[Step]:
        """What moves a stripe to the given positions; a stripe that is further already stays there."""
        stored = self._stored[stripe]
        return [
            Step(p, stored[p], max(stored[p], positions.get(p, 0)), watermarks_ms.get(p, 0)) for p in self.partitions
        ]

    def generation(self, stripe: int) -> int:
        """The generation that a stripe is believed to have."""
        return self._live[stripe].generation

    def stored(self, stripe: int, partition: int) -> int:
        """The next offset that a stripe is believed to have of a partition."""
        return self._stored[stripe][partition]

    @property
    def moved_ids(self) -> dict[int, bytes]:
        """By stripe the id of the write that last moved its head, as far as is known."""
        return dict(enumerate(self._moved_ids))

    def behind(self, horizon_ms: int) -> list[int]:
        """Stripes that do not know yet how far the batches reach, or how far back jobs count."""
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


def _next_offset(head: Head, partition: int) -> int:
    return head.progress[partition].next_offset if partition < len(head.progress) else 0
