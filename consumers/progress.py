"""Where one assignment stands: what each stripe is believed to have stored, and how far the batches reach. Pure."""

from collections.abc import Mapping, Sequence

from service.store.layout import Head
from service.store.writer import Step


class Progress:
    """Offsets of the partitions of one assignment; lives until the next assignment or the next doubt."""

    def __init__(self, heads: Sequence[Head], partitions: Sequence[int]) -> None:
        self.partitions = tuple(sorted(partitions))
        # believed to be stored: the fence that the next write expects, per stripe and partition
        self._stored = [{p: _next_offset(head, p) for p in self.partitions} for head in heads]
        self._generations = [head.generation for head in heads]
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
        return self._generations[stripe]

    def stored(self, stripe: int, partition: int) -> int:
        """The next offset that a stripe is believed to have of a partition."""
        return self._stored[stripe][partition]

    def written(self, stripe: int, steps: Sequence[Step]) -> None:
        """Takes in that a stripe has taken these steps."""
        for step in steps:
            self._stored[stripe][step.partition] = step.next_offset

    @property
    def stripes(self) -> range:
        """All stripes."""
        return range(len(self._stored))


def _next_offset(head: Head, partition: int) -> int:
    return head.progress[partition].next_offset if partition < len(head.progress) else 0
