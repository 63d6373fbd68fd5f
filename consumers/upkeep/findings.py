"""Adds up what the scrub finds, stripe by stripe, and says what of it is of this consumer's stripes."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from service.store.audit.reads import Sizes


@dataclass(slots=True)
class Findings:
    """Holds the estimated memory and the drift of each stripe, as they were when a pass of the scrub was last there.

    Nothing is known while a stripe of this consumer was never looked at: a part of the memory would look like a store
    that shrinks, and no drift in a part like none at all. A stripe that another consumer has now does not count here.
    """

    _sizes: dict[int, Sizes] = field(default_factory=dict, init=False)
    _drifted: dict[int, int] = field(default_factory=dict, init=False)

    def note(self, stripe: int, sizes: Sizes, drifted: int) -> None:
        """Notes what a stripe takes, and how many of its keys take a rebuild. The scrub calls it after each stripe."""
        self._sizes[stripe] = sizes
        self._drifted[stripe] = drifted

    def keep(self, own: Collection[int]) -> None:
        """Forgets what was found in other stripes: whoever has them mends them. The scrub calls it between passes."""
        for stripe in self._drifted.keys() - set(own):
            del self._sizes[stripe], self._drifted[stripe]

    def sizes_bytes(self, own: Collection[int]) -> Mapping[str, float]:
        """Returns the memory of these stripes by kind of key; nothing where it is not known."""
        total: Sizes = Counter()
        if self._drifted.keys() >= set(own):
            for stripe in own:
                total.update(self._sizes[stripe])
        return {str(kind): size_bytes for kind, size_bytes in total.items()}

    def drifted(self, own: Collection[int]) -> Mapping[str, float]:
        """Returns how many keys of these stripes take a rebuild, for a gauge without a label; nothing if not known."""
        is_known = own and self._drifted.keys() >= set(own)
        return {"": sum(self._drifted[stripe] for stripe in own)} if is_known else {}
