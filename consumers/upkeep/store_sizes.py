"""Adds up what the scrub weighs, stripe by stripe, and says what this consumer's stripes take in all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.runtime.metrics import KnownGauge
from service.store.audit.reads import Sizes


@dataclass(slots=True)
class StoreSizes:
    """Holds the estimated memory of each stripe, as it was when a pass of the scrub was last there.

    The gauge has no series while a stripe of this consumer was never weighed: a part of the sum would look like a
    store that shrinks. A stripe that another consumer has now does not count here.
    """

    gauge: KnownGauge
    _of_stripes: dict[int, Sizes] = field(default_factory=dict, init=False)

    def weighed(self, stripe: int, sizes: Sizes) -> None:
        """Notes what a stripe takes. The scrub calls it at the end of each stripe."""
        self._of_stripes[stripe] = sizes

    def publish(self, own: Sequence[int]) -> None:
        """Publishes the sum of these stripes, if each has been weighed. The scrub calls it between passes."""
        self._of_stripes = {stripe: self._of_stripes[stripe] for stripe in own if stripe in self._of_stripes}
        total: Sizes = Counter()
        if len(self._of_stripes) == len(own):
            for sizes in self._of_stripes.values():
                total.update(sizes)
        self.gauge.set_all({str(kind): size_bytes for kind, size_bytes in total.items()})
